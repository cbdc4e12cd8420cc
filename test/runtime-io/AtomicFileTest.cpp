// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/AtomicFile.h"
#include "test/runtime-io/TempFolder.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace chimera;
using test::Bytes;
using test::TempFolder;

static Bytes bytesOf(const std::string &text) {
  return Bytes(text.begin(), text.end());
}

TEST(AtomicFile, CommitReplacesTheTarget) {
  TempFolder folder;
  std::string path = folder.write("f", std::string("old and longer"));
  auto file = io::AtomicFile::create(path);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_TRUE(file->write(0, "new", 3));
  EXPECT_EQ(folder.read("f"), bytesOf("old and longer")) << "visible before commit";
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(folder.read("f"), bytesOf("new"));
  EXPECT_EQ(folder.fileCount(), 1u);
}

TEST(AtomicFile, WithoutCommitNothingIsLeft) {
  TempFolder folder;
  folder.write("f", std::string("old"));
  {
    auto file = io::AtomicFile::create(folder.file("f"));
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write(0, "new", 3));
    io::AtomicFile moved = std::move(*file);
  }
  EXPECT_EQ(folder.read("f"), bytesOf("old"));
  EXPECT_EQ(folder.fileCount(), 1u);
}

TEST(AtomicFile, AKilledWriterLeavesNothing) {
  TempFolder folder;
  folder.write("f", std::string("old"));
  int probe = ::open(folder.path().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (probe < 0)
    GTEST_SKIP() << "this file system has no files without names";
  ::close(probe);
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto file = io::AtomicFile::create(folder.file("f"));
    if (file && file->write(0, "new", 3))
      ::raise(SIGKILL);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(folder.read("f"), bytesOf("old"));
  EXPECT_EQ(folder.fileCount(), 1u);
}

TEST(AtomicFile, KeepsThePermissionsOfTheTarget) {
  TempFolder folder;
  std::string path = folder.write("f", std::string("old"));
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  ASSERT_TRUE(io::writeWhole(path, "new"));
  struct stat info = {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
}

TEST(AtomicFile, UnwrittenBytesAreZero) {
  TempFolder folder;
  auto file = io::AtomicFile::create(folder.file("f"));
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write(2, "x", 1));
  ASSERT_TRUE(file->resize(5));
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(folder.read("f"), (Bytes{0, 0, 'x', 0, 0}));
}

TEST(AtomicFile, FollowsASymbolicLink) {
  TempFolder folder;
  folder.write("real", std::string("old"));
  std::filesystem::create_symlink("real", folder.file("link"));
  auto file = io::AtomicFile::create(folder.file("link"));
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write(0, "new", 3));
  ASSERT_TRUE(file->commit());
  EXPECT_TRUE(std::filesystem::is_symlink(folder.file("link")));
  EXPECT_EQ(folder.read("real"), bytesOf("new"));
}

TEST(AtomicFile, RefusesWhatIsNoRegularFile) {
  TempFolder folder;
  ASSERT_EQ(::mkfifo(folder.file("fifo").c_str(), 0600), 0);
  for (const std::string &path : {std::string("/dev/null"), folder.path(), folder.file("fifo")}) {
    auto file = io::AtomicFile::create(path);
    ASSERT_FALSE(file) << path;
    EXPECT_EQ(file.error().message, io::quote(path) + ": cannot write: not a regular file");
  }
  auto file = io::AtomicFile::create(folder.file("none/f"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().message, io::quote(folder.file("none/f")) + ": cannot write: No such file or directory");
}

TEST(Quote, EscapesWhatIsNotPlainText) {
  EXPECT_EQ(io::quote("caf\xC3\xA9"), "'caf\xC3\xA9'");
  EXPECT_EQ(io::quote("a\nb\x1b[0m"), "'a\\x0ab\\x1b[0m'");
  EXPECT_EQ(io::quote("\xFF\xC3"), "'\\xff\\xc3'");
  EXPECT_EQ(io::quote("\xC2\x85\xE2\x80\xA8"), "'\\xc2\\x85\\xe2\\x80\\xa8'");
  EXPECT_EQ(io::quote("\xED\xA0\x80"), "'\\xed\\xa0\\x80'") << "a surrogate";
  EXPECT_EQ(io::quote(std::string(201, 'x')), "'" + std::string(200, 'x') + "...'");
}
