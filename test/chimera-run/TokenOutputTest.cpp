// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/TokenOutput.h"

#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

using namespace chimera;
using namespace chimera::run;

TEST(TokenLines, AreInOrderAndPrintedAsSoonAsTheyCanBe) {
  std::FILE *stream = std::tmpfile();
  auto text = [&] {
    std::string result(size_t(std::ftell(stream)), ' ');
    std::rewind(stream);
    EXPECT_EQ(std::fread(result.data(), 1, result.size(), stream), result.size());
    return result;
  };
  TokenLines lines(stream, 4);
  EXPECT_TRUE(lines.write(0, 10));
  EXPECT_EQ(text(), "10");
  EXPECT_TRUE(lines.write(2, 30));
  EXPECT_TRUE(lines.write(1, 20));
  EXPECT_TRUE(lines.end(2));
  EXPECT_EQ(text(), "10");
  EXPECT_TRUE(lines.write(0, 11));
  EXPECT_TRUE(lines.end(0));
  EXPECT_EQ(text(), "10 11\n20");
  EXPECT_TRUE(lines.write(1, 21));
  EXPECT_TRUE(lines.end(1));
  EXPECT_EQ(text(), "10 11\n20 21\n30\n");
  EXPECT_TRUE(lines.end(3));
  EXPECT_EQ(text(), "10 11\n20 21\n30\n\n");
  std::fclose(stream);
}

TEST(TokenLines, AnOutputThatIsFullIsAnError) {
  std::FILE *stream = std::fopen("/dev/full", "w");
  ASSERT_NE(stream, nullptr);
  TokenLines lines(stream, 1);
  io::Status status = lines.write(0, 1);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "<stdout>: cannot write: No space left on device");
  std::fclose(stream);
}

TEST(TokenFile, RowsArePaddedWhateverTheirWidth) {
  test::TemporaryDirectory folder;
  for (int64_t width : {0, 1, 3, 65536, 200000}) {
    io::Result<TokenFile> created = TokenFile::create(folder.file("o.npy"), 3, width);
    ASSERT_TRUE(created) << created.error().message;
    std::vector<int32_t> expected(size_t(3 * width), -1), full(size_t(width), 7);
    std::copy(full.begin(), full.end(), expected.begin());
    EXPECT_TRUE(created->write(2, {}));
    EXPECT_TRUE(created->write(0, full));
    if (width > 1) {
      expected[size_t(width)] = 5;
      EXPECT_TRUE(created->write(1, {5}));
    } else {
      EXPECT_TRUE(created->write(1, {}));
    }
    EXPECT_TRUE(created->commit());
    io::Result<io::NpyArray> array = io::readNpy(folder.file("o.npy"));
    ASSERT_TRUE(array) << array.error().message;
    EXPECT_EQ(array->shape, (std::vector<int64_t>{3, width}));
    std::vector<int32_t> values(array->data.size() / 4);
    if (!values.empty())
      std::memcpy(values.data(), array->data.data(), array->data.size());
    EXPECT_TRUE(values == expected) << width;
  }
}

TEST(TokenFile, WithoutCommitNothingIsLeft) {
  test::TemporaryDirectory folder;
  {
    io::Result<TokenFile> created = TokenFile::create(folder.file("o.npy"), 1, 4);
    ASSERT_TRUE(created);
    EXPECT_TRUE(created->write(0, {1}));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}
