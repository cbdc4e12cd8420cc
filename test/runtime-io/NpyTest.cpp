// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Npy.h"
#include "test/runtime-io/TempFolder.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

using namespace chimera::io;
using chimera::test::Bytes;
using chimera::test::forEachMutant;
using chimera::test::isOneLine;
using chimera::test::TempFolder;

/// A file with this header text and data.
static Bytes npy(const std::string &header, const Bytes &data, uint8_t version = 1) {
  Bytes bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', version, 0};
  for (size_t i = 0; i < (version == 1 ? 2u : 4u); ++i)
    bytes.push_back(uint8_t(header.size() >> (8 * i)));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

static Result<NpyArray> parse(const Bytes &bytes) {
  return parseNpy(bytes.data(), bytes.size());
}

static std::string errorOf(const Bytes &bytes) {
  Result<NpyArray> array = parse(bytes);
  return array ? "no error" : array.error().message;
}

// What numpy 1.24 writes for numpy.array([[1, 2, -3]], dtype=numpy.int32).
TEST(Npy, ReadsWhatNumPyWrites) {
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (1, 3), }";
  header.resize(117, ' ');
  header += '\n';
  for (uint8_t version : {1, 2, 3}) {
    auto array = parse(npy(header, {1, 0, 0, 0, 2, 0, 0, 0, 0xFD, 0xFF, 0xFF, 0xFF}, version));
    ASSERT_TRUE(array) << array.error().message;
    EXPECT_EQ(array->dtype, DType::I32);
    EXPECT_EQ(array->shape, (std::vector<int64_t>{1, 3}));
    EXPECT_EQ(array->integer(0), 1);
    EXPECT_EQ(array->integer(2), -3);
  }
}

TEST(Npy, WritesWhatNumPyWrites) {
  TempFolder folder;
  int32_t data[] = {1, 2, -3};
  ASSERT_TRUE(writeNpy(folder.file("a.npy"), DType::I32, {1, 3}, data));
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (1, 3), }";
  header.resize(117, ' ');
  header += '\n';
  EXPECT_EQ(folder.read("a.npy"), npy(header, {1, 0, 0, 0, 2, 0, 0, 0, 0xFD, 0xFF, 0xFF, 0xFF}));
}

TEST(Npy, RoundTripsEveryTypeAndShape) {
  TempFolder folder;
  std::mt19937 random(7);
  const std::vector<std::vector<int64_t>> shapes = {{}, {0}, {1}, {5}, {0, 3}, {3, 0}, {2, 3}, {2, 1, 4}};
  for (DType type : {DType::I8, DType::I32, DType::I64, DType::F32, DType::F64}) {
    for (const auto &shape : shapes) {
      int64_t count = 1;
      for (int64_t extent : shape)
        count *= extent;
      Bytes data(size_t(count * sizeOf(type)));
      for (uint8_t &byte : data)
        byte = uint8_t(random());
      ASSERT_TRUE(writeNpy(folder.file("a.npy"), type, shape, data.data()));
      EXPECT_EQ(folder.read("a.npy").size() % 64, data.size() % 64) << "elements are not aligned";
      auto array = readNpy(folder.file("a.npy"));
      ASSERT_TRUE(array) << array.error().message;
      EXPECT_EQ(array->dtype, type);
      EXPECT_EQ(array->shape, shape);
      EXPECT_EQ(array->data, data);
    }
  }
}

TEST(Npy, WriterTakesPartsAndLeavesZeros) {
  TempFolder folder;
  auto writer = NpyWriter::create(folder.file("a.npy"), DType::F32, {2, 3});
  ASSERT_TRUE(writer);
  float value = 1.5f;
  ASSERT_TRUE(writer->write(4, &value, 1));
  EXPECT_FALSE(readNpy(folder.file("a.npy"))) << "visible before commit";
  ASSERT_TRUE(writer->commit());
  auto array = readNpy(folder.file("a.npy"));
  ASSERT_TRUE(array);
  float values[6];
  std::memcpy(values, array->data.data(), sizeof values);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(values[i], i == 4 ? 1.5f : 0.0f);
}

TEST(Npy, HeadersThatAreRight) {
  Bytes one(4);
  EXPECT_EQ(errorOf(npy("{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(1,)}", one)), "no error");
  EXPECT_EQ(errorOf(npy("{'shape':(),'fortran_order':False,'descr':'<f4'}", one)), "no error");
  EXPECT_EQ(errorOf(npy(" { 'shape' : ( 0 , 9 ) , 'fortran_order' : False , 'descr' : '|i1' , } \n", {})), "no error");
}

TEST(Npy, SaysWhatIsWrong) {
  Bytes four(4);
  auto withShape = [&](const std::string &shape) {
    return errorOf(npy("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + "}", four));
  };
  EXPECT_EQ(errorOf({}), "is empty");
  EXPECT_EQ(errorOf({0x93, 'N', 'U', 'M', 'P'}), "not an .npy file");
  EXPECT_EQ(errorOf({0x93, 'N', 'U', 'M', 'P', 'Z', 1, 0, 0, 0}), "not an .npy file");
  EXPECT_EQ(errorOf({0x93, 'N', 'U', 'M', 'P', 'Y', 4, 1, 0, 0}),
            "an .npy file of version 4.1; 1.0, 2.0 and 3.0 can be read");
  EXPECT_EQ(errorOf({0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 1, 0}), "the file ends inside its header");
  EXPECT_EQ(errorOf({0x93, 'N', 'U', 'M', 'P', 'Y', 2, 0, 1, 0}), "the file ends inside its header");
  EXPECT_EQ(withShape("(2,)"), "shape [2] of f32 does not make the 4 bytes of data in the file");
  EXPECT_EQ(withShape("(4611686018427387904,4)"),
            "shape [4611686018427387904, 4] of f32 does not make the 4 bytes of data in the file");
  EXPECT_EQ(withShape("(0,9223372036854775807,4)"),
            "shape [0, 9223372036854775807, 4] of f32 does not make the 4 bytes of data in the file");
  EXPECT_EQ(withShape("(9223372036854775808,)"), "header byte 69: a bad value of shape");
  EXPECT_EQ(withShape("(1)"), "header byte 53: a bad value of shape");
  EXPECT_EQ(withShape("(-1,)"), "header byte 51: a bad value of shape");
  EXPECT_EQ(errorOf(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1,)}", four)),
            "the array is in Fortran order; save it in C order (numpy.ascontiguousarray)");
  EXPECT_EQ(errorOf(npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", four)),
            "dtype '>f4' cannot be read; int8 to int64, uint8 to uint64, float32 and float64 (little endian) can");
  EXPECT_EQ(errorOf(npy("{'descr': '<f4', 'fortran_order': False}", four)), "header: no shape");
  EXPECT_EQ(errorOf(npy("{'descr': '<f4', 'descr': '<f4'}", four)), "header byte 25: the key 'descr' occurs twice");
  EXPECT_EQ(errorOf(npy("{'descr': [('a', '<f4')]}", four)), "header byte 10: a bad value of descr");
}

TEST(Npy, ReadsWholeNumbersOfEverySize) {
  TempFolder folder;
  auto check = [&](const char *descr, const Bytes &data, const std::vector<int64_t> &expected) {
    std::string shape = "(" + std::to_string(expected.size()) + ",)";
    std::string path = folder.write(
        "a.npy", npy(std::string("{'descr': '") + descr + "', 'fortran_order': False, 'shape': " + shape + "}", data));
    Result<NpyArray> array = readIntegers(path);
    ASSERT_TRUE(array) << array.error().message;
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(array->integer(int64_t(i)), expected[i]) << descr;
  };
  check("|i1", {1, 0xFF}, {1, -1});
  check("|u1", {1, 0xFF}, {1, 255});
  check("<i2", {1, 2, 0xFF, 0xFF}, {513, -1});
  check("<u2", {1, 2, 0xFF, 0xFF}, {513, 65535});
  check("<i4", {1, 2, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF}, {513, -1});
  check("<u4", {1, 2, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF}, {513, 4294967295});
  check("<u8", {1, 2, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, {513, INT64_MAX});
  std::string floats = folder.write("f.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", Bytes(4)));
  EXPECT_EQ(readIntegers(floats).error().message,
            quote(floats) + ": whole numbers (int8 to int64, uint8 to uint64) are needed, not f32");
}

TEST(Npy, AFileThatIsCutAfterItsHeaderWasReadIsAnError) {
  TempFolder folder;
  std::vector<int32_t> data(1000, 7);
  ASSERT_TRUE(writeNpy(folder.file("a.npy"), DType::I32, {1000}, data.data()));
  auto file = openNpy(folder.file("a.npy"));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->elements(), 1000);
  int32_t last = 0;
  ASSERT_TRUE(file->read(999, 1, &last));
  EXPECT_EQ(last, 7);
  std::filesystem::resize_file(folder.file("a.npy"), 200);
  Status status = file->read(999, 1, &last);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, quote(folder.file("a.npy")) + ": was cut while it was read");
}

TEST(Npy, NamesTheFile) {
  TempFolder folder;
  std::string path = folder.write("a.npy", std::string("text"));
  auto array = readNpy(path);
  ASSERT_FALSE(array);
  EXPECT_EQ(array.error().message, quote(path) + ": is text, not an array");
  array = readNpy(folder.file("none.npy"));
  ASSERT_FALSE(array);
  EXPECT_EQ(array.error().message, quote(folder.file("none.npy")) + ": cannot open: No such file or directory");
  array = readNpy(folder.path());
  ASSERT_FALSE(array);
  EXPECT_EQ(array.error().message, quote(folder.path()) + ": is a folder, not a file");
}

TEST(Npy, EveryByteChangedCutOrAddedIsAValueOrOneError) {
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1), }   \n";
  size_t values = 0, errors = 0;
  for (uint8_t version : {1, 2}) {
    forEachMutant(npy(header, Bytes(8, 1), version), [&](const Bytes &mutant) {
      // An allocation of exactly the size, so that a sanitizer sees any byte read past the end.
      Bytes exact(mutant);
      exact.shrink_to_fit();
      auto array = parse(exact);
      if (!array) {
        ++errors;
        ASSERT_TRUE(isOneLine(array.error().message)) << array.error().message;
        return;
      }
      ++values;
      int64_t count = 1;
      for (int64_t extent : array->shape)
        count *= extent;
      ASSERT_EQ(array->data.size(), size_t(count * sizeOf(array->dtype)));
    });
  }
  EXPECT_GT(values, 100u);
  EXPECT_GT(errors, 1000u);
}
