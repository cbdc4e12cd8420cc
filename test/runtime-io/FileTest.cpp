// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/File.h"
#include "test/runtime-io/TempFolder.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace chimera;
using io::quote;
using test::Bytes;
using test::TempFolder;

TEST(File, ReadsWhatIsThere) {
  TempFolder folder;
  std::string path = folder.write("f", std::string("0123456789"));
  auto file = io::File::open(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->size(), 10u);
  char text[4] = {};
  ASSERT_TRUE(file->readAt(3, text, 3));
  EXPECT_STREQ(text, "345");
  EXPECT_TRUE(file->readAt(10, text, 0));
  EXPECT_EQ(*file->start(4), (Bytes{'0', '1', '2', '3'}));
  EXPECT_EQ(file->start(100)->size(), 10u);
  EXPECT_EQ(*io::readWhole(path), "0123456789");
  EXPECT_EQ(io::readWhole(path, 9).error().message,
            quote(path) + ": is longer than 9 bytes, the most that can be read");
}

TEST(File, SaysWhatCannotBeRead) {
  TempFolder folder;
  EXPECT_EQ(io::File::open(folder.path()).error().message, quote(folder.path()) + ": is a folder, not a file");
  EXPECT_EQ(io::readWhole(folder.path()).error().message, quote(folder.path()) + ": is a folder, not a file");
  EXPECT_EQ(io::File::open(folder.file("none")).error().message,
            quote(folder.file("none")) + ": cannot open: No such file or directory");
  EXPECT_EQ(io::File::open("/dev/null").error().message, "'/dev/null': not a regular file");
}

TEST(File, ACutFileIsAnErrorAndNoSignal) {
  TempFolder folder;
  std::string path = folder.write("f", Bytes(size_t(1) << 20, 1));
  auto file = io::File::open(path), released = io::File::open(path);
  ASSERT_TRUE(file && released);
  released->release();
  std::filesystem::resize_file(path, 0);
  Bytes bytes(1000);
  for (const auto *open : {&file, &released})
    for (uint64_t offset : {0, 900'000}) {
      io::Status status = (*open)->readAt(offset, bytes.data(), bytes.size());
      ASSERT_FALSE(status);
      EXPECT_EQ(status.error().message, quote(path) + ": was cut while it was read");
    }
}

TEST(File, AReleasedFileIsReadAgainUnlessItWasReplaced) {
  TempFolder folder;
  std::string path = folder.write("f", std::string("abc"));
  auto file = io::File::open(path);
  ASSERT_TRUE(file);
  file->release();
  char byte = 0;
  ASSERT_TRUE(file->readAt(2, &byte, 1));
  EXPECT_EQ(byte, 'c');
  EXPECT_TRUE(file->unchanged());
  std::filesystem::rename(folder.write("g", std::string("xyz")), path);
  io::Status status = file->readAt(2, &byte, 1);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, quote(path) + ": was replaced while it was read");
  EXPECT_FALSE(file->unchanged());
  std::filesystem::remove(path);
  EXPECT_EQ(file->readAt(0, &byte, 1).error().message, quote(path) + ": cannot open again: No such file or directory");
}

TEST(File, APipeIsReadToItsEnd) {
  TempFolder folder;
  std::string path = folder.file("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  int both = ::open(path.c_str(), O_RDWR); // So that there is a writer from the start.
  ASSERT_GE(both, 0);
  std::thread writer([&] {
    for (const char *part : {"one ", "two"}) {
      ASSERT_GT(::write(both, part, std::string(part).size()), 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ::close(both);
  });
  auto text = io::readWhole(path);
  writer.join();
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, "one two");
}
