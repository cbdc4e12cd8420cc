// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Npy.h"
#include "runtime/train/data/Dataset.h"
#include "test/runtime-io/TempFolder.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <vector>

namespace {

using namespace chimera;
using namespace chimera::train;

class DataFile : public testing::Test {
protected:
  template <typename T>
  std::string npy(const std::string &name, io::DType type, const std::vector<int64_t> &shape,
                  const std::vector<T> &data) {
    EXPECT_TRUE(bool(io::writeNpy(folder.file(name), type, shape, data.data())));
    return folder.file(name);
  }
  /// 0, 1, 2, ... as an .npy file.
  std::string counting(const std::string &name, std::vector<int64_t> shape) {
    std::vector<int32_t> data(
        size_t(std::accumulate(shape.begin(), shape.end(), int64_t(1), std::multiplies<int64_t>())));
    std::iota(data.begin(), data.end(), 0);
    return npy(name, io::DType::I32, shape, data);
  }

  static io::Result<std::unique_ptr<Dataset>> open(const std::string &spec, int64_t length, int64_t vocabulary,
                                                   double heldOut = 0.25, uint64_t seed = 1) {
    return openDataset({spec, length, vocabulary, seed, heldOut});
  }
  static std::unique_ptr<Dataset> mustOpen(const std::string &spec, int64_t length, int64_t vocabulary,
                                           double heldOut = 0.25, uint64_t seed = 1) {
    io::Result<std::unique_ptr<Dataset>> data = open(spec, length, vocabulary, heldOut, seed);
    EXPECT_TRUE(bool(data)) << data.error().message;
    return std::move(*data);
  }
  static std::vector<int32_t> tokens(const Dataset &data, int64_t length, Split split, uint64_t index) {
    std::vector<int32_t> tokens(length), targets(length);
    data.sequence(split, index, {tokens.data(), targets.data(), nullptr});
    for (int64_t t = 0; t + 1 < length; ++t)
      EXPECT_EQ(targets[t], tokens[t + 1]);
    tokens.push_back(targets.back());
    return tokens;
  }
  void expectError(const std::string &spec, int64_t length, int64_t vocabulary, const std::string &text) {
    io::Result<std::unique_ptr<Dataset>> data = open(spec, length, vocabulary);
    ASSERT_FALSE(bool(data)) << spec;
    EXPECT_NE(data.error().message.find(text), std::string::npos) << data.error().message;
    EXPECT_TRUE(test::isOneLine(data.error().message));
  }

  test::TempFolder folder;
};

TEST_F(DataFile, CutsAStreamIntoWindowsOnceAnEpoch) {
  // 82 tokens: 8 windows of 10 + 1; the last two are held out.
  auto data = mustOpen(counting("a.npy", {82}), 10, 100);
  EXPECT_EQ(data->trainSequences(), 6u);
  EXPECT_EQ(data->heldOutSequences(), 2u);
  std::vector<std::vector<int32_t>> orders;
  for (uint64_t epoch = 0; epoch < 3; ++epoch) {
    std::set<int32_t> firsts;
    for (uint64_t i = 0; i < 6; ++i) {
      std::vector<int32_t> window = tokens(*data, 10, Split::Train, epoch * 6 + i);
      firsts.insert(window.front());
      EXPECT_EQ(window.back(), window.front() + 10);
      orders.resize(epoch + 1);
      orders.back().push_back(window.front());
    }
    EXPECT_EQ(firsts, (std::set<int32_t>{0, 10, 20, 30, 40, 50}));
  }
  EXPECT_FALSE(orders[0] == orders[1] && orders[1] == orders[2]) << "each epoch has its own order";
  EXPECT_EQ(tokens(*data, 10, Split::HeldOut, 0).front(), 60);
  EXPECT_EQ(tokens(*data, 10, Split::HeldOut, 1).front(), 70);
}

TEST_F(DataFile, KeepsRowsApart) {
  // Rows of 7 tokens: 2 windows of 3 + 1 each.
  auto data = mustOpen(counting("a.npy", {4, 7}), 3, 100);
  EXPECT_EQ(data->trainSequences() + data->heldOutSequences(), 8u);
  std::set<int32_t> firsts;
  for (uint64_t i = 0; i < 6; ++i) {
    std::vector<int32_t> window = tokens(*data, 3, Split::Train, i);
    firsts.insert(window.front());
    EXPECT_EQ(window.back(), window.front() + 3);
  }
  EXPECT_EQ(firsts, (std::set<int32_t>{0, 3, 7, 10, 14, 17}));
}

TEST_F(DataFile, ReadsBytesOfSeveralFilesAndPatterns) {
  folder.write("b.txt", std::string("abcdefghi"));
  folder.write("a.txt", std::string("ABCDE"));
  folder.write("c.md", std::string("0123456789"));
  auto data = mustOpen(folder.file("*.txt") + "," + folder.file("c.md"), 4, 256, 0.3);
  // a: 1 window, b: 2, c: 2. The last two of five are held out.
  EXPECT_EQ(data->trainSequences(), 3u);
  EXPECT_EQ(data->heldOutSequences(), 2u);
  std::set<int32_t> firsts;
  for (uint64_t i = 0; i < 3; ++i)
    firsts.insert(tokens(*data, 4, Split::Train, i).front());
  EXPECT_EQ(firsts, (std::set<int32_t>{'A', 'a', 'e'}));
  EXPECT_EQ(tokens(*data, 4, Split::HeldOut, 1), (std::vector<int32_t>{'4', '5', '6', '7', '8'}));
}

TEST_F(DataFile, ReadsInt64) {
  auto data = mustOpen(npy<int64_t>("a.npy", io::DType::I64, {5}, {5, 6, 7, 8, 9}), 2, 10);
  EXPECT_EQ(tokens(*data, 2, Split::Train, 0), (std::vector<int32_t>{5, 6, 7}));
  EXPECT_EQ(tokens(*data, 2, Split::HeldOut, 0), (std::vector<int32_t>{7, 8, 9}));
}

TEST_F(DataFile, IsAFunctionOfSeedAndIndex) {
  std::string file = counting("a.npy", {1000});
  auto data = mustOpen(file, 10, 1000), again = mustOpen(file, 10, 1000), other = mustOpen(file, 10, 1000, 0.25, 2);
  int same = 0;
  for (uint64_t i = 0; i < 200; ++i) {
    EXPECT_EQ(tokens(*data, 10, Split::Train, i), tokens(*again, 10, Split::Train, i));
    same += tokens(*data, 10, Split::Train, i) == tokens(*other, 10, Split::Train, i);
  }
  EXPECT_LT(same, 20);
}

TEST_F(DataFile, NamesWhatIsWrong) {
  std::string few = counting("few.npy", {20});
  expectError(few, 10, 100, "has 20 tokens and 1 windows of 11; it takes two");
  expectError(few, 20, 100, "and 0 windows of 21");
  expectError(few, 5, 19, "few.npy': token 19 at position 19 is outside the vocabulary of 19");
  expectError(counting("rows.npy", {4, 5}), 2, 13, "rows.npy': token 13 at position [2, 3] is outside");
  expectError(npy<int64_t>("minus.npy", io::DType::I64, {4}, {1, -7, 1, 1}), 1, 13, "token -7 at position 1");
  expectError(npy<float>("f.npy", io::DType::F32, {4}, {1, 2, 3, 4}), 1, 13, "must be int32 or int64, not f32");
  expectError(counting("cube.npy", {2, 2, 2}), 1, 13, "must be [T] or [B, T], not of rank 3");
  expectError(folder.file("none.npy"), 1, 13, "none.npy'");
  expectError(folder.file("none.txt"), 1, 256, "none.txt'");
  expectError(folder.file("no*.txt"), 1, 256, "no file matches");
  expectError(few + ",", 1, 100, "an empty file name");
  expectError("", 1, 100, "an empty file name");
  expectError(folder.path(), 1, 256, folder.path());
  expectError(folder.write("t.txt", std::string("abc\xF0xyz")), 2, 128,
              "byte 240 at position 3 is outside the vocabulary of 128");
  expectError(folder.write("cut.npy", std::string("\x93NUMPY\x01")), 2, 128, "cut.npy'");
}

TEST_F(DataFile, HoldsOutAtLeastOneWindowAndNotAll) {
  std::string file = counting("a.npy", {31});
  EXPECT_EQ(mustOpen(file, 10, 100, 0.001)->heldOutSequences(), 1u);
  EXPECT_EQ(mustOpen(file, 10, 100, 0.999)->trainSequences(), 1u);
}

} // namespace
