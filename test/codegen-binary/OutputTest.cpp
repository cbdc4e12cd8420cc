// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/Output.h"
#include "test/codegen-binary/Kernels.h"
#include "test/codegen-binary/TemporaryFolder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <gtest/gtest.h>

using namespace chimera;
using namespace chimera::binary;

namespace {

class Output : public testing::Test {
protected:
  Output()
      : folder(llvm::cantFail(TemporaryFolder::create())), file(folder.reserve("model.chm")),
        directory(llvm::sys::path::parent_path(file).str()) {}

  std::string content(const std::string &path) {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : "<" + buffer.getError().message() + ">";
  }

  int entries() {
    int count = 0;
    std::error_code error;
    for (llvm::sys::fs::directory_iterator it(directory, error), end; it != end && !error; it.increment(error))
      ++count;
    return count;
  }

  TemporaryFolder folder;
  std::string file;
  std::string directory;
};

TEST_F(Output, ReplacesAFileAndLeavesNothingElse) {
  EXPECT_EQ(test::messageOf(writeOutput(file, "first, longer")), "");
  EXPECT_EQ(test::messageOf(writeOutput(file, "second")), "");
  EXPECT_EQ(content(file), "second");
  EXPECT_EQ(entries(), 1);
}

TEST_F(Output, WritesThroughASymbolicLink) {
  std::string link = folder.reserve("link.chm");
  ASSERT_FALSE(llvm::sys::fs::create_link(file, link));
  EXPECT_EQ(test::messageOf(writeOutput(file, "old")), "");
  EXPECT_EQ(test::messageOf(writeOutput(link, "new")), "");
  EXPECT_EQ(content(file), "new");
  EXPECT_TRUE(llvm::sys::fs::is_symlink_file(link));
}

TEST_F(Output, WritesToADevice) {
  EXPECT_EQ(test::messageOf(writeOutput("/dev/null", "bytes")), "");
}

TEST_F(Output, NamesAFolderThatDoesNotExist) {
  std::string path = directory + "/missing/model.chm";
  EXPECT_EQ(test::messageOf(writeOutput(path, "bytes")), "cannot write " + path + ": No such file or directory");
}

TEST_F(Output, NamesAPathThatIsAFolder) {
  EXPECT_EQ(test::messageOf(writeOutput(directory, "bytes")), "cannot write " + directory + ": Is a directory");
  EXPECT_EQ(entries(), 0);
}

TEST_F(Output, ReportsAFullDisk) {
  EXPECT_EQ(test::messageOf(writeOutput("/dev/full", "bytes")), "cannot write /dev/full: No space left on device");
}

} // namespace
