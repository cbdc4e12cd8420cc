// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Npy.h"
#include "runtime/train/data/Dataset.h"
#include "test/runtime-io/TempFolder.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
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
    io::Status status = data.sequence(split, index, {tokens.data(), targets.data(), nullptr});
    EXPECT_TRUE(status) << status.error().message;
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
  expectError(npy<float>("f.npy", io::DType::F32, {4}, {1, 2, 3, 4}), 1, 13,
              "whole numbers (int8 to int64, uint8 to uint64) are needed, not f32");
  expectError(counting("cube.npy", {2, 2, 2}), 1, 13, "must be [T] or [B, T], not of rank 3");
  expectError(folder.file("none.npy"), 1, 13, "none.npy'");
  expectError(folder.file("none.txt"), 1, 256, "none.txt'");
  expectError(folder.file("no*.txt"), 1, 256, "no file matches");
  expectError(few + ",", 1, 100, "an empty file name");
  expectError("", 1, 100, "an empty file name");
  expectError(folder.path(), 1, 256, folder.path() + "' is a folder; a pattern names its files: '");
  expectError(folder.write("t.txt", std::string("abc\xF0xyz")), 2, 128,
              "byte 240 at position 3 is outside the vocabulary of 128");
  expectError(folder.write("cut.npy", std::string("\x93NUMPY\x01")), 2, 128, "cut.npy'");
}

TEST_F(DataFile, ReadsEveryKindOfWholeNumber) {
  auto expect = [&](const std::string &file) {
    auto data = mustOpen(file, 2, 200);
    EXPECT_EQ(tokens(*data, 2, Split::Train, 0), (std::vector<int32_t>{5, 6, 7}));
    EXPECT_EQ(tokens(*data, 2, Split::HeldOut, 0), (std::vector<int32_t>{7, 8, 9}));
  };
  expect(npy<int8_t>("i8.npy", io::DType::I8, {5}, {5, 6, 7, 8, 9}));
  expect(npy<uint8_t>("u8.npy", io::DType::U8, {5}, {5, 6, 7, 8, 9}));
  expect(npy<int16_t>("i16.npy", io::DType::I16, {5}, {5, 6, 7, 8, 9}));
  expect(npy<uint16_t>("u16.npy", io::DType::U16, {5}, {5, 6, 7, 8, 9}));
  expect(npy<uint32_t>("u32.npy", io::DType::U32, {5}, {5, 6, 7, 8, 9}));
  expectError(npy<int8_t>("minus.npy", io::DType::I8, {4}, {1, -7, 1, 1}), 1, 200, "token -7 at position 1");
  expectError(npy<uint16_t>("large.npy", io::DType::U16, {4}, {1, 200, 1, 1}), 1, 200, "token 200 at position 1");
}

TEST_F(DataFile, RefusesWhatIsNeitherTextNorAnArray) {
  expectError(folder.write("tokens.npz", std::string("PK\x03\x04 and so on")), 2, 256,
              "tokens.npz': is a zip archive, as numpy.savez and torch.save write: save it as .npy (numpy.save)");
  expectError(folder.write("a.txt", std::string("version https://git-lfs.github.com/spec/v1\n")), 2, 256,
              "a.txt': is a Git LFS pointer, not the file itself: run 'git lfs pull'");
  expectError(folder.write("a.npy", std::string("text that is none")), 2, 256, "a.npy': is text, not an array");
}

TEST_F(DataFile, TakesBytesOnlyWhereTheyAreTokens) {
  std::string text = folder.write("t.txt", std::string(100, 'x')), array = counting("a.npy", {100});
  DataOptions options{text, 10, 513, 1, 0.25};
  options.isNew = true; // From nothing a model learns what its tokens are.
  EXPECT_TRUE(bool(openDataset(options)));
  options.isNew = false;
  io::Result<std::unique_ptr<Dataset>> data = openDataset(options);
  ASSERT_FALSE(bool(data));
  EXPECT_NE(data.error().message.find("t.txt': the bytes of a text are not this model's tokens"), std::string::npos)
      << data.error().message;
  options.bytesAreTokens = true;
  EXPECT_TRUE(bool(openDataset(options)));
  options.bytesAreTokens = false;
  options.spec = array;
  EXPECT_TRUE(bool(openDataset(options))) << "ids are ids";
  test::TempFolder model;
  model.write("tokenizer.json", std::string("{}"));
  options = {text, 10, 256, 1, 0.25};
  EXPECT_TRUE(bool(openDataset(options)));
  options.places = {model.file("config.json")};
  EXPECT_FALSE(bool(openDataset(options)));
}

TEST_F(DataFile, WarnsOfBytesThatLookLikeIds) {
  std::string ids, text;
  for (int i = 0; i < 4000; ++i) {
    ids += char(i % 200);
    ids += '\0';
    text += "words "[i % 6];
  }
  for (auto [bytes, isOdd] : {std::pair(ids, true), std::pair(text, false)}) {
    std::vector<std::string> lines;
    DataOptions options{folder.write("tokens.bin", bytes), 10, 256, 1, 0.25};
    options.warn = [&](const std::string &line) { lines.push_back(line); };
    EXPECT_TRUE(bool(openDataset(options)));
    ASSERT_EQ(lines.size(), isOdd ? 1u : 0u);
    if (isOdd) {
      EXPECT_NE(lines[0].find("tokens.bin': looks like token ids of two or four bytes each"), std::string::npos);
    }
    options.bytesAreTokens = true;
    EXPECT_TRUE(bool(openDataset(options)));
    EXPECT_EQ(lines.size(), isOdd ? 1u : 0u) << "said once, and not when the user has said so";
  }
}

/// The bytes of numbers of type T.
template <typename T> std::string bytesOf(const std::vector<int64_t> &numbers) {
  std::string bytes;
  for (int64_t number : numbers) {
    T value = T(number);
    bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
  }
  return bytes;
}

/// A header of llm.c: 256 numbers of four bytes.
std::string header(int64_t magic, int64_t version, int64_t count) {
  std::vector<int64_t> numbers = {magic, version, count};
  numbers.resize(256);
  return bytesOf<int32_t>(numbers);
}

TEST_F(DataFile, ReadsIdsOfTwoAndFourBytes) {
  // Ids of which each byte counts.
  const std::vector<int64_t> narrow = {50256, 258, 7, 65535, 1}, wide = {128255, 66051, 7, 65536, 1};
  auto expect = [&](const std::string &spec, const std::vector<int64_t> &ids, int64_t vocabulary) {
    auto data = mustOpen(spec, 2, vocabulary);
    auto window = [&](size_t at) {
      return std::vector<int32_t>{int32_t(ids[at]), int32_t(ids[at + 1]), int32_t(ids[at + 2])};
    };
    EXPECT_EQ(tokens(*data, 2, Split::Train, 0), window(0));
    EXPECT_EQ(tokens(*data, 2, Split::HeldOut, 0), window(2));
    EXPECT_NE(data->description().find("5 tokens"), std::string::npos);
  };
  expect("u16:" + folder.write("raw16.bin", bytesOf<uint16_t>(narrow)), narrow, 65536);
  expect("u32:" + folder.write("raw32.bin", bytesOf<uint32_t>(wide)), wide, 128256);
  // The header is seen with and without a form, whatever the name.
  for (const char *name : {"gpt2.bin", "gpt2.tokens"}) {
    std::string file = folder.write(name, header(20240520, 1, 5) + bytesOf<uint16_t>(narrow));
    expect(file, narrow, 65536);
    expect("u16:" + file, narrow, 65536);
  }
  std::string llama = folder.write("llama3.bin", header(20240801, 7, 5) + bytesOf<uint32_t>(wide));
  expect(llama, wide, 128256);
  expect("u32:" + llama, wide, 128256);
  // A form belongs to one name or pattern of the list.
  folder.write("p1.bin", bytesOf<uint16_t>(narrow));
  folder.write("p2.bin", bytesOf<uint16_t>(narrow));
  auto data = mustOpen("u16:" + folder.file("p*.bin") + "," + counting("a.npy", {7}), 2, 65536, 0.0);
  EXPECT_EQ(data->trainSequences(), 2u + 2u + 3u);
}

TEST_F(DataFile, RefusesIdsThatAreNotWhatIsSaid) {
  std::string three = folder.write("three.bin", std::string("\1\0\2", 3));
  expectError("u16:" + three, 1, 256, "three.bin': has 3 bytes, which is no whole number of ids of two bytes");
  expectError("u32:" + three, 1, 256, "no whole number of ids of four bytes");
  std::string ids = folder.write("ids.bin", bytesOf<uint16_t>({1, 2, 300, 4}));
  expectError("u16:" + ids, 1, 256, "ids.bin': token 300 at position 2 is outside the vocabulary of 256");
  expectError("u32:" + ids, 1, 50257, "ids.bin': token 131073 at position 0 is outside");
  expectError("u16:" + ids, 1, 65537,
              "holds ids of two bytes, which are too narrow for the model's vocabulary of 65537");
  expectError("u16:" + counting("a.npy", {9}), 1, 256, "a.npy': says itself how wide its ids are");
  expectError("u16:", 1, 256, "an empty file name");
  expectError("u16:" + folder.file("none.bin"), 1, 256, "none.bin'");
  std::string body = bytesOf<uint16_t>({1, 2, 3, 4});
  expectError(folder.write("v.bin", header(20240520, 2, 4) + body), 1, 256,
              "v.bin': is a token file of llm.c of version 2, and version 1 is known");
  expectError(folder.write("n.bin", header(20240520, 1, 5) + body), 1, 256,
              "its header says that 5 ids of two bytes follow, 1034 bytes with the header; the file has 1032");
  expectError(folder.write("m.bin", header(20240520, 1, -1) + body), 1, 256, "the file has 1032");
  std::string narrow = folder.write("g.bin", header(20240520, 1, 4) + body);
  expectError("u32:" + narrow, 1, 256, "its header says that it holds ids of two bytes, and --data says ids of four");
  expectError(narrow, 1, 70000, "too narrow for the model's vocabulary of 70000");
}

TEST_F(DataFile, ARawBinHasToSayItsWidth) {
  std::string ids = folder.write("tokens.bin", bytesOf<uint16_t>({1, 2, 3, 4, 5, 6, 7, 8}));
  expectError(ids, 1, 50257, "tokens.bin': nothing says how wide its token ids are: u16:FILE or u32:FILE");
  std::vector<std::string> lines;
  std::vector<int64_t> few(64, 9);
  DataOptions options{"u16:" + folder.write("wide.bin", bytesOf<uint32_t>(few)), 10, 50257, 1, 0.25};
  options.warn = [&](const std::string &line) { lines.push_back(line); };
  EXPECT_TRUE(bool(openDataset(options)));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("wide.bin': every second id is 0"), std::string::npos) << lines[0];
  options.spec = "u32:" + folder.file("wide.bin");
  EXPECT_TRUE(bool(openDataset(options)));
  EXPECT_EQ(lines.size(), 1u);
}

TEST_F(DataFile, NothingMayBeHeldOut) {
  std::string file = counting("a.npy", {31});
  auto data = mustOpen(file, 10, 100, 0.0);
  EXPECT_EQ(data->heldOutSequences(), 0u);
  EXPECT_EQ(data->trainSequences(), 3u);
  EXPECT_NE(data->description().find("none held out"), std::string::npos);
  EXPECT_EQ(mustOpen(counting("one.npy", {11}), 10, 100, 0.0)->trainSequences(), 1u);
  EXPECT_FALSE(bool(open(counting("none.npy", {10}), 10, 100, 0.0)));
}

TEST_F(DataFile, AFileThatIsCutIsAnErrorOfTheSequence) {
  std::string bytes = folder.write("t.txt", std::string(5000, 'x')), array = counting("a.npy", {5000});
  for (const std::string &file : {bytes, array}) {
    auto data = open(file, 10, 5000, 0.25);
    if (file == bytes)
      data = open(file, 10, 256, 0.25);
    ASSERT_TRUE(bool(data));
    std::filesystem::resize_file(file, 200);
    std::vector<int32_t> tokens(10), targets(10);
    io::Status status = (*data)->sequence(Split::HeldOut, 0, {tokens.data(), targets.data(), nullptr});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message, io::quote(file) + ": was cut while it was read");
  }
  std::string changed = counting("b.npy", {100});
  auto data = mustOpen(changed, 10, 100, 0.25);
  std::vector<int32_t> others(100, 1000);
  ASSERT_TRUE(bool(io::writeNpy(folder.file("c.npy"), io::DType::I32, {100}, others.data())));
  test::Bytes content = folder.read("c.npy");
  std::fstream(changed, std::ios::in | std::ios::out | std::ios::binary)
      .write(reinterpret_cast<const char *>(content.data()), std::streamsize(content.size()));
  std::vector<int32_t> tokens(10), targets(10);
  io::Status status = data->sequence(Split::Train, 0, {tokens.data(), targets.data(), nullptr});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, io::quote(changed) + ": was changed while it was read");
}

TEST_F(DataFile, TakesMoreFilesThanAProcessMayHaveOpen) {
  constexpr int files = 3000;
  std::filesystem::create_directory(folder.file("many"));
  for (int i = 0; i < files; ++i)
    folder.write("many/" + std::to_string(100000 + i), std::string(3, char(i % 256)));
  auto start = std::chrono::steady_clock::now();
  auto data = mustOpen(folder.file("many/*"), 2, 256, 0.0);
  EXPECT_EQ(data->trainSequences(), uint64_t(files));
  std::vector<int> seen(256);
  for (uint64_t i = 0; i < files; ++i)
    ++seen[size_t(tokens(*data, 2, Split::Train, i).front())];
  for (int i = 0; i < 256; ++i)
    EXPECT_EQ(seen[size_t(i)], (files + 255 - i) / 256);
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 30.0);
}

TEST_F(DataFile, HoldsOutAtLeastOneWindowAndNotAll) {
  std::string file = counting("a.npy", {31});
  EXPECT_EQ(mustOpen(file, 10, 100, 0.001)->heldOutSequences(), 1u);
  EXPECT_EQ(mustOpen(file, 10, 100, 0.999)->trainSequences(), 1u);
}

} // namespace
