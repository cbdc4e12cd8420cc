// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/SafetensorsHeader.h"

#include "runtime/io/Json.h"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace chimera::io {

using nlohmann::json;

/// In the order of `DType`.
static constexpr const char *typeNames[] = {"F64", "F32", "F16", "BF16", "I64",  "I32",     "I16",    "I8",
                                            "U64", "U32", "U16", "U8",   "BOOL", "F8_E4M3", "F8_E5M2"};

const char *safetensorsName(DType type) {
  return typeNames[size_t(type)];
}

std::optional<DType> safetensorsType(const std::string &name) {
  for (size_t i = 0; i < std::size(typeNames); ++i)
    if (name == typeNames[i])
      return DType(i);
  return std::nullopt;
}

/// Types of the format that only quantised weights and their scales have.
static bool isOfQuantised(const std::string &name) {
  static const char *const names[] = {"F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

std::optional<uint64_t> byteSize(const std::vector<int64_t> &shape, DType type) {
  // An extent of 0 makes the product 0, but the others must still be sound.
  int64_t product = sizeOf(type);
  bool empty = false;
  for (int64_t extent : shape) {
    if (extent < 0)
      return std::nullopt;
    empty |= extent == 0;
    if (__builtin_mul_overflow(product, std::max<int64_t>(extent, 1), &product))
      return std::nullopt;
  }
  return empty ? 0 : uint64_t(product);
}

std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

/// A JSON array of non-negative 63-bit integers.
static std::optional<std::vector<int64_t>> readExtents(const json &value) {
  if (!value.is_array())
    return std::nullopt;
  std::vector<int64_t> extents;
  for (const json &extent : value) {
    if (!extent.is_number_unsigned() || extent.get<uint64_t>() > uint64_t(INT64_MAX))
      return std::nullopt;
    extents.push_back(int64_t(extent.get<uint64_t>()));
  }
  return extents;
}

/// One entry of the header; its offset is in the `size` data bytes.
static Result<StoredTensor> readTensor(const std::string &name, const json &entry, uint64_t size) {
  auto fail = [&](const std::string &what) { return Error{"tensor " + quote(name) + ": " + what}; };
  if (!entry.is_object())
    return fail("not an object");
  for (const auto &[key, value] : entry.items())
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      return fail("unknown key " + quote(key));
  for (const char *key : {"dtype", "shape", "data_offsets"})
    if (!entry.contains(key))
      return fail(std::string("no ") + key);
  const json &type = entry["dtype"];
  if (!type.is_string())
    return fail("dtype is not a string");
  std::optional<DType> dtype = safetensorsType(type.get_ref<const std::string &>());
  if (!dtype && isOfQuantised(type.get_ref<const std::string &>()))
    return fail("has dtype " + type.get_ref<const std::string &>() +
                ": quantised weights are not read; take the checkpoint in bf16, f16 or f32");
  if (!dtype)
    return fail("unknown dtype " + quote(type.get_ref<const std::string &>()));
  auto shape = readExtents(entry["shape"]);
  if (!shape)
    return fail("shape is not a list of sizes");
  auto offsets = readExtents(entry["data_offsets"]);
  if (!offsets || offsets->size() != 2)
    return fail("data_offsets are not two byte offsets");
  uint64_t begin = uint64_t((*offsets)[0]), end = uint64_t((*offsets)[1]);
  if (begin > end || end > size)
    return fail("data_offsets " + shapeText(*offsets) + " are outside the file's " + std::to_string(size) +
                " bytes of data");
  std::optional<uint64_t> bytes = byteSize(*shape, *dtype);
  if (!bytes || *bytes != end - begin)
    return fail("shape " + shapeText(*shape) + " of " + nameOf(*dtype) + " does not make the " +
                std::to_string(end - begin) + " bytes of its data_offsets");
  return StoredTensor{name, *dtype, *shape, nullptr, begin, *bytes};
}

/// Checks that the tensors, sorted by their bytes, cover `size` bytes without gap or overlap.
static Status checkCover(const std::vector<StoredTensor> &tensors, uint64_t size) {
  uint64_t covered = 0;
  for (const StoredTensor &tensor : tensors) {
    if (tensor.offset != covered)
      return Error{"tensor " + quote(tensor.name) + ": its data " +
                   (tensor.offset < covered ? "overlaps another tensor's" : "comes after a gap") + " at data byte " +
                   std::to_string(std::min(tensor.offset, covered))};
    covered += tensor.bytes;
  }
  if (covered != size)
    return Error{std::to_string(size - covered) + " bytes after the last tensor"};
  return {};
}

Result<uint64_t> safetensorsHeaderSize(const uint8_t *start, size_t count, uint64_t fileSize) {
  constexpr uint64_t headerLimit = 100'000'000;
  if (count < safetensorsPrefix)
    return Error{"not a safetensors file: " + std::to_string(count) + " bytes are too few"};
  uint64_t length;
  std::memcpy(&length, start, sizeof length);
  if (length > headerLimit || length > fileSize - safetensorsPrefix)
    return Error{"not a safetensors file: a header of " + std::to_string(length) + " bytes in a file of " +
                 std::to_string(fileSize)};
  if (length == 0 || count == safetensorsPrefix || start[safetensorsPrefix] != '{')
    return Error{"not a safetensors file: the header does not start with '{'"};
  return length;
}

Result<SafetensorsHeader> parseSafetensorsHeader(const std::string &text, uint64_t fileSize) {
  Result<json> parsed = parseJson(text.data(), text.size());
  if (!parsed)
    return Error{"header: " + parsed.error().message};

  SafetensorsHeader header;
  uint64_t dataStart = safetensorsPrefix + text.size(), dataSize = fileSize - dataStart;
  for (const auto &[name, entry] : parsed->items()) {
    if (name == "__metadata__") {
      if (!entry.is_object())
        return Error{"header: __metadata__ is not an object"};
      for (const auto &[key, value] : entry.items()) {
        if (!value.is_string())
          return Error{"header: __metadata__ " + quote(key) + " is not a string"};
        header.metadata.emplace(key, value.get<std::string>());
      }
      continue;
    }
    Result<StoredTensor> tensor = readTensor(name, entry, dataSize);
    if (!tensor)
      return tensor.error();
    header.tensors.push_back(std::move(*tensor));
  }
  std::sort(header.tensors.begin(), header.tensors.end(), [](const StoredTensor &a, const StoredTensor &b) {
    return std::tie(a.offset, a.bytes, a.name) < std::tie(b.offset, b.bytes, b.name);
  });
  if (Status status = checkCover(header.tensors, dataSize); !status)
    return status.error();
  for (StoredTensor &tensor : header.tensors)
    tensor.offset += dataStart;
  return header;
}

Result<ShardMap> readSafetensorsIndex(const void *text, size_t size) {
  Result<json> parsed = parseJson(text, size);
  if (!parsed)
    return parsed.error();
  if (!parsed->is_object() || !parsed->contains("weight_map") || !(*parsed)["weight_map"].is_object())
    return Error{"not an index of a checkpoint: no object \"weight_map\""};
  ShardMap shards;
  for (const auto &[tensor, shard] : (*parsed)["weight_map"].items()) {
    if (!shard.is_string())
      return Error{"weight_map: the shard of " + quote(tensor) + " is not a string"};
    // A shard lies beside its index, so that an index names no file elsewhere.
    const auto &name = shard.get_ref<const std::string &>();
    if (name.empty() || name == "." || name == ".." || name.find_first_of(std::string("/\0", 2)) != std::string::npos)
      return Error{"weight_map: " + quote(name) + " is not the name of a file beside the index"};
    shards[name].insert(tensor);
  }
  return shards;
}

} // namespace chimera::io
