// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Safetensors.h"
#include "runtime/io/SafetensorsHeader.h"
#include "test/runtime-io/TempFolder.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

using namespace chimera::io;
using chimera::test::Bytes;
using chimera::test::forEachMutant;
using chimera::test::isOneLine;
using chimera::test::TempFolder;

/// A file with this header and `dataSize` bytes 0, 1, 2, ...
static Bytes file(const std::string &header, size_t dataSize) {
  Bytes bytes;
  for (int i = 0; i < 8; ++i)
    bytes.push_back(uint8_t(uint64_t(header.size()) >> (8 * i)));
  bytes.insert(bytes.end(), header.begin(), header.end());
  for (size_t i = 0; i < dataSize; ++i)
    bytes.push_back(uint8_t(i));
  return bytes;
}

static std::string entry(const std::string &dtype, const char *shape, const char *offsets) {
  return std::string("{\"dtype\":\"") + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

/// The header of a file of these bytes.
static Result<SafetensorsHeader> headerOf(const Bytes &bytes) {
  Result<uint64_t> size = safetensorsHeaderSize(bytes.data(), bytes.size(), bytes.size());
  if (!size)
    return size.error();
  return parseSafetensorsHeader(std::string(bytes.begin() + 8, bytes.begin() + 8 + std::ptrdiff_t(*size)),
                                bytes.size());
}

/// The bytes of a tensor of a checkpoint.
static Bytes bytesOf(const StoredTensor &tensor) {
  Bytes bytes(tensor.bytes);
  Status status = tensor.read(0, tensor.elements(), bytes.data());
  EXPECT_TRUE(status) << status.error().message;
  return bytes;
}

static std::string errorOf(const Bytes &bytes) {
  auto header = headerOf(bytes);
  return header ? "no error" : header.error().message;
}

template <typename T>
static TensorView view(const char *name, DType dtype, std::vector<int64_t> shape, const std::vector<T> &data) {
  return {name, dtype, std::move(shape), reinterpret_cast<const uint8_t *>(data.data()), data.size() * sizeof(T)};
}

TEST(Safetensors, ReadsAFileWrittenByHand) {
  TempFolder folder;
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"},\"b\":" + entry("I8", "[3]", "[4,7]") +
                       ",\"a\":" + entry("F32", "[1,1]", "[0,4]") + ",\"none\":" + entry("BF16", "[0,5]", "[4,4]") +
                       ",\"scalar\":" + entry("U8", "[]", "[7,8]") + "}  ";
  auto checkpoint = Checkpoint::open(folder.write("m.safetensors", file(header, 8)));
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->tensors().size(), 4u);
  EXPECT_EQ(checkpoint->metadata().at("format"), "pt");
  const StoredTensor *b = checkpoint->find("b");
  ASSERT_TRUE(b);
  EXPECT_EQ(b->dtype, DType::I8);
  EXPECT_EQ(b->shape, std::vector<int64_t>{3});
  EXPECT_EQ(bytesOf(*b), (Bytes{4, 5, 6}));
  EXPECT_EQ(checkpoint->find("none")->elements(), 0);
  EXPECT_EQ(checkpoint->find("scalar")->elements(), 1);
  EXPECT_FALSE(checkpoint->find("c"));
}

TEST(Safetensors, WriterRoundTripsAndDependsOnContentOnly) {
  TempFolder folder;
  std::vector<double> doubles = {1.5, -2};
  std::vector<float> floats = {1, 2, 3};
  std::vector<uint16_t> halves = {0x3F80};
  std::vector<TensorView> tensors = {view("h\"\n\xC3\xA9", DType::BF16, {1, 1}, halves),
                                     view("f", DType::F32, {3}, floats), view("d", DType::F64, {2, 1}, doubles),
                                     view("e", DType::F64, {0}, std::vector<double>{})};
  ASSERT_TRUE(writeSafetensors(folder.file("a.safetensors"), tensors, {{"k", "v"}}));
  std::reverse(tensors.begin(), tensors.end());
  ASSERT_TRUE(writeSafetensors(folder.file("b.safetensors"), tensors, {{"k", "v"}}));
  EXPECT_EQ(folder.read("a.safetensors"), folder.read("b.safetensors"));
  auto checkpoint = Checkpoint::open(folder.file("a.safetensors"));
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->metadata().at("k"), "v");
  ASSERT_EQ(checkpoint->tensors().size(), tensors.size());
  for (const TensorView &tensor : tensors) {
    const StoredTensor *found = checkpoint->find(tensor.name);
    ASSERT_TRUE(found) << tensor.name;
    EXPECT_EQ(found->dtype, tensor.dtype);
    EXPECT_EQ(found->shape, tensor.shape);
    ASSERT_EQ(found->bytes, tensor.bytes);
    EXPECT_EQ(found->offset % uint64_t(sizeOf(found->dtype)), 0u) << "not aligned";
    EXPECT_EQ(bytesOf(*found), Bytes(tensor.data, tensor.data + tensor.bytes));
  }
}

TEST(Safetensors, WriterRefusesWhatCannotBeRead) {
  TempFolder folder;
  std::vector<float> one = {1};
  std::string path = folder.file("m.safetensors"), start = quote(path) + ": cannot write: ";
  auto error = [&](const std::vector<TensorView> &tensors) {
    Status status = writeSafetensors(path, tensors);
    return status ? "no error" : status.error().message;
  };
  EXPECT_EQ(error({view("a", DType::F32, {1}, one), view("a", DType::F32, {1}, one)}),
            start + "tensor 'a': the name is taken");
  EXPECT_EQ(error({view("a", DType::F32, {2}, one)}), start + "tensor 'a': shape and bytes disagree");
  EXPECT_EQ(error({view("\xFF", DType::F32, {1}, one)}), start + "a name or metadata string is not UTF-8");
  EXPECT_EQ(folder.fileCount(), 0u);
}

TEST(Safetensors, SaysWhatIsWrong) {
  auto one = [](const std::string &tensor, size_t size = 4) { return errorOf(file("{\"t\":" + tensor + "}", size)); };
  EXPECT_EQ(one(entry("F32", "[1]", "[0,4]")), "no error");
  EXPECT_EQ(errorOf({1, 2}), "not a safetensors file: 2 bytes are too few");
  EXPECT_EQ(errorOf(Bytes(9, 0xFF)), "not a safetensors file: a header of 18446744073709551615 bytes in a file of 9");
  EXPECT_EQ(errorOf(file("[]", 0)), "not a safetensors file: the header does not start with '{'");
  EXPECT_EQ(errorOf(file("", 0)), "not a safetensors file: the header does not start with '{'");
  EXPECT_EQ(errorOf(file("{\"t\" 1}", 0)), "header: not valid JSON at byte 6");
  EXPECT_EQ(errorOf(file("{\"t\":1,\"t\":1}", 0)), "header: the key 't' occurs twice");
  EXPECT_EQ(errorOf(file("{\"__metadata__\":{\"a\":1}}", 0)), "header: __metadata__ 'a' is not a string");
  EXPECT_EQ(errorOf(file("{\"__metadata__\":[]}", 0)), "header: __metadata__ is not an object");
  EXPECT_EQ(one("[]"), "tensor 't': not an object");
  EXPECT_EQ(one("{\"dtype\":\"F32\"}"), "tensor 't': no shape");
  EXPECT_EQ(one("{\"x\":1}"), "tensor 't': unknown key 'x'");
  EXPECT_EQ(one(entry("F33", "[1]", "[0,4]")), "tensor 't': unknown dtype 'F33'");
  for (const std::string type : {"F4", "F6_E2M3", "F6_E3M2", "F8_E8M0"})
    EXPECT_EQ(one(entry(type, "[4]", "[0,4]")),
              "tensor 't': has dtype " + type +
                  ": quantised weights are not read; take the checkpoint in bf16, f16 or f32");
  EXPECT_EQ(one(entry("F32", "[-1]", "[0,4]")), "tensor 't': shape is not a list of sizes");
  EXPECT_EQ(one(entry("F32", "[1.0]", "[0,4]")), "tensor 't': shape is not a list of sizes");
  EXPECT_EQ(one(entry("F32", "[1]", "[0]")), "tensor 't': data_offsets are not two byte offsets");
  EXPECT_EQ(one(entry("F32", "[1]", "[4,0]")),
            "tensor 't': data_offsets [4, 0] are outside the file's 4 bytes of data");
  EXPECT_EQ(one(entry("F32", "[1]", "[1,5]")),
            "tensor 't': data_offsets [1, 5] are outside the file's 4 bytes of data");
  EXPECT_EQ(one(entry("F32", "[2]", "[0,4]")),
            "tensor 't': shape [2] of f32 does not make the 4 bytes of its data_offsets");
  EXPECT_EQ(one(entry("F32", "[4611686018427387904,4]", "[0,0]"), 0),
            "tensor 't': shape [4611686018427387904, 4] of f32 does not make the 0 bytes of its data_offsets");
  EXPECT_EQ(one(entry("F32", "[1]", "[0,4]"), 5), "1 bytes after the last tensor");
  EXPECT_EQ(one(entry("F32", "[1]", "[1,5]"), 5), "tensor 't': its data comes after a gap at data byte 0");
  EXPECT_EQ(errorOf(file("{\"a\":" + entry("I8", "[2]", "[0,2]") + ",\"b\":" + entry("I8", "[2]", "[1,3]") + "}", 3)),
            "tensor 'b': its data overlaps another tensor's at data byte 1");
  std::string deep(100, '[');
  EXPECT_EQ(errorOf(file("{\"t\":" + deep, 0)), "header: not valid here: JSON nested deeper than 64");
}

TEST(Safetensors, OpensShardsThroughAnIndexAndADirectory) {
  TempFolder folder;
  std::vector<float> one = {1}, two = {2};
  ASSERT_TRUE(writeSafetensors(folder.file("x.safetensors"), {view("a", DType::F32, {1}, one)}));
  ASSERT_TRUE(writeSafetensors(folder.file("y.safetensors"),
                               {view("b", DType::F32, {1}, two), view("a", DType::F32, {1}, two)}));
  std::string index = "{\"metadata\":{},\"weight_map\":{\"a\":\"x.safetensors\",\"b\":\"y.safetensors\"}}";
  std::string path = folder.write("model.safetensors.index.json", index);
  for (const std::string &name : {path, folder.path(), folder.path() + "/"}) {
    auto checkpoint = Checkpoint::open(name);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    ASSERT_EQ(checkpoint->tensors().size(), 2u);
    float value;
    ASSERT_TRUE(checkpoint->find("a")->read(0, 1, &value));
    EXPECT_EQ(value, 1) << "not from the shard that the index names";
  }
  auto error = [&](const std::string &text) {
    auto checkpoint = Checkpoint::open(folder.write("i.json", text));
    return checkpoint ? "no error" : checkpoint.error().message;
  };
  std::string where = quote(folder.file("i.json")) + ": ";
  EXPECT_EQ(error("{}"), where + "not an index of a checkpoint: no object \"weight_map\"");
  EXPECT_EQ(error("{"), where + "not valid JSON at byte 2");
  EXPECT_EQ(error("{\"weight_map\":{\"a\":1}}"), where + "weight_map: the shard of 'a' is not a string");
  EXPECT_EQ(error("{\"weight_map\":{\"a\":\"../x\"}}"),
            where + "weight_map: '../x' is not the name of a file beside the index");
  EXPECT_EQ(error("{\"weight_map\":{\"c\":\"x.safetensors\"}}"),
            where + "weight_map: 'x.safetensors' does not hold 'c'");
  EXPECT_EQ(error("{\"weight_map\":{\"c\":\"z\"}}"),
            quote(folder.file("z")) + ": cannot open: No such file or directory");
}

TEST(Safetensors, ADirectoryHoldsOneOfTwoFiles) {
  TempFolder folder;
  auto checkpoint = Checkpoint::open(folder.path());
  ASSERT_FALSE(checkpoint);
  EXPECT_EQ(checkpoint.error().message,
            quote(folder.path()) + ": holds neither model.safetensors nor model.safetensors.index.json");
  ASSERT_TRUE(writeSafetensors(folder.file("model.safetensors"), {}));
  checkpoint = Checkpoint::open(folder.path());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_TRUE(checkpoint->tensors().empty());
}

TEST(Safetensors, ConvertsPartsOfATensor) {
  TempFolder folder;
  constexpr int64_t count = 100'000; // Several pieces.
  std::vector<double> doubles(count);
  for (int64_t i = 0; i < count; ++i)
    doubles[size_t(i)] = double(i) / 3;
  doubles[1] = 1.0 + 0x1p-8 + 0x1p-40; // Just above the middle; rounding through f32 would lose that.
  ASSERT_TRUE(writeSafetensors(folder.file("m.safetensors"), {view("d", DType::F64, {count}, doubles)}));
  auto checkpoint = Checkpoint::open(folder.file("m.safetensors"));
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  const StoredTensor *tensor = checkpoint->find("d");
  uint16_t rounded;
  ASSERT_TRUE(tensor->convert(1, 1, DType::BF16, &rounded));
  EXPECT_EQ(rounded, 0x3F81);
  std::vector<float> floats(count - 2);
  ASSERT_TRUE(tensor->convert(2, count - 2, DType::F32, floats.data()));
  for (int64_t i = 2; i < count; ++i)
    ASSERT_EQ(floats[size_t(i - 2)], float(double(i) / 3)) << i;
}

TEST(Safetensors, AFileThatIsCutOrChangedIsAnError) {
  TempFolder folder;
  std::vector<float> values(5000, 1.5f);
  std::string path = folder.file("model.safetensors");
  ASSERT_TRUE(writeSafetensors(path, {view("t", DType::F32, {5000}, values)}));
  auto checkpoint = Checkpoint::open(path);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_TRUE(checkpoint->unchanged());
  std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) + std::chrono::seconds(1));
  ASSERT_FALSE(checkpoint->unchanged());
  EXPECT_EQ(checkpoint->unchanged().error().message, quote(path) + ": was changed while it was read");
  std::filesystem::resize_file(path, 1000);
  for (DType type : {DType::F32, DType::F64, DType::BF16}) {
    std::vector<double> out(5000);
    Status status = checkpoint->find("t")->convert(0, 5000, type, out.data());
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message, quote(path) + ": was cut while it was read");
  }
  EXPECT_EQ(checkpoint->unchanged().error().message, quote(path) + ": was cut while it was read");
}

/// Seconds to open a checkpoint of `count` tensors in one file.
static double secondsToOpen(const TempFolder &folder, size_t count) {
  std::vector<TensorView> tensors(count);
  static const uint8_t byte = 0;
  for (size_t i = 0; i < count; ++i)
    tensors[i] = {"model.layers." + std::to_string(i) + ".weight", DType::U8, {1}, &byte, 1};
  EXPECT_TRUE(writeSafetensors(folder.file("many.safetensors"), tensors));
  auto start = std::chrono::steady_clock::now();
  auto checkpoint = Checkpoint::open(folder.file("many.safetensors"));
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_TRUE(checkpoint && checkpoint->tensors().size() == count);
  return seconds;
}

TEST(Safetensors, TheTimeToOpenGrowsWithTheHeader) {
  // A tenth of it here; by the square of the header it would take minutes, as writing such a file would.
  TempFolder folder;
  auto start = std::chrono::steady_clock::now();
  secondsToOpen(folder, 200'000);
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 30.0);
}

TEST(Safetensors, AnIndexMayNameMoreShardsThanAProcessMayHaveFiles) {
  TempFolder folder;
  std::string map;
  constexpr int shards = 3000;
  for (int i = 0; i < shards; ++i) {
    std::string name = "s" + std::to_string(i), tensor = "t" + std::to_string(i);
    std::string header = "{\"" + tensor + "\":" + entry("U8", "[1]", "[0,1]") + "}";
    Bytes bytes = file(header, 1);
    bytes.back() = uint8_t(i % 251);
    folder.write(name, bytes);
    map += (i ? ",\"" : "\"") + tensor + "\":\"" + name + "\"";
  }
  std::string index = folder.write("model.safetensors.index.json", "{\"weight_map\":{" + map + "}}");
  auto start = std::chrono::steady_clock::now();
  auto checkpoint = Checkpoint::open(index);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  for (int i = 0; i < shards; ++i)
    ASSERT_EQ(bytesOf(*checkpoint->find("t" + std::to_string(i))), Bytes{uint8_t(i % 251)});
  EXPECT_TRUE(checkpoint->unchanged());
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 30.0);
  // One that is not held open and makes place for another.
  std::filesystem::rename(folder.file("s0"), folder.file("s999"));
  uint8_t byte;
  Status status = checkpoint->find("t999")->read(0, 1, &byte);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, quote(folder.file("s999")) + ": was replaced while it was read");
}

TEST(Safetensors, EveryByteChangedCutOrAddedIsAValueOrOneError) {
  std::string header = "{\"__metadata__\":{\"k\":\"v\"},\"b\":" + entry("I8", "[1,2]", "[4,6]") +
                       ",\"a\":" + entry("F32", "[1]", "[0,4]") + "}  ";
  size_t values = 0, errors = 0;
  forEachMutant(file(header, 6), [&](const Bytes &mutant) {
    Bytes exact(mutant);
    exact.shrink_to_fit();
    auto parsed = headerOf(exact);
    if (!parsed) {
      ++errors;
      ASSERT_TRUE(isOneLine(parsed.error().message)) << parsed.error().message;
      return;
    }
    ++values;
    for (const StoredTensor &tensor : parsed->tensors) {
      ASSERT_GE(tensor.offset, 8u);
      ASSERT_LE(tensor.offset + tensor.bytes, exact.size());
    }
  });
  EXPECT_GT(values, 100u);
  EXPECT_GT(errors, 1000u);
}

TEST(Safetensors, EveryByteOfAnIndexChangedCutOrAddedIsAValueOrOneError) {
  std::string index = "{\"metadata\":{\"total_size\":4},\"weight_map\":{\"a\":\"x\"}}";
  size_t values = 0, errors = 0;
  forEachMutant(Bytes(index.begin(), index.end()), [&](const Bytes &mutant) {
    auto shards = readSafetensorsIndex(mutant.data(), mutant.size());
    ++(shards ? values : errors);
    if (!shards)
      ASSERT_TRUE(isOneLine(shards.error().message)) << shards.error().message;
  });
  EXPECT_GT(values, 100u);
  EXPECT_GT(errors, 500u);
}
