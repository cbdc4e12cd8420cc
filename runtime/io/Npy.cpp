// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Npy.h"

#include "runtime/io/FileKind.h"
#include "runtime/io/NpyHeader.h"
#include "runtime/io/Safetensors.h"
#include "runtime/io/SafetensorsHeader.h"

#include <cstring>

namespace chimera::io {

int64_t integerAt(DType dtype, const void *data, int64_t index) {
  auto load = [&](auto value) {
    std::memcpy(&value, static_cast<const uint8_t *>(data) + size_t(index) * sizeof value, sizeof value);
    return value;
  };
  switch (dtype) {
  case DType::I8:
    return load(int8_t());
  case DType::I16:
    return load(int16_t());
  case DType::I32:
    return load(int32_t());
  case DType::I64:
    return load(int64_t());
  case DType::U8:
    return load(uint8_t());
  case DType::U16:
    return load(uint16_t());
  case DType::U32:
    return load(uint32_t());
  default:
    return int64_t(std::min(load(uint64_t()), uint64_t(INT64_MAX)));
  }
}

int64_t NpyArray::integer(int64_t index) const {
  return integerAt(dtype, data.data(), index);
}

int64_t NpyFile::elements() const {
  return int64_t(file.size() - start) / sizeOf(dtype);
}

Status NpyFile::read(int64_t first, int64_t count, void *to) const {
  uint64_t size = uint64_t(sizeOf(dtype));
  return file.readAt(start + uint64_t(first) * size, to, size_t(count) * size);
}

Result<NpyFile> openNpy(const std::string &path) {
  Result<File> file = File::open(path);
  if (!file)
    return file.error();
  Result<std::vector<uint8_t>> bytes = file->start(npyHeaderLimit);
  if (!bytes)
    return bytes.error();
  Result<NpyHeader> header = readNpyHeader(bytes->data(), bytes->size(), file->size());
  if (!header)
    return mistaken(Wanted::Array, path, bytes->data(), bytes->size(), header.error().message);
  return NpyFile{std::move(*file), header->dtype, std::move(header->shape), header->start};
}

Result<NpyArray> readNpy(const std::string &path) {
  Result<NpyFile> file = openNpy(path);
  if (!file)
    return file.error();
  NpyArray array{file->dtype, file->shape, std::vector<uint8_t>(size_t(file->file.size() - file->start))};
  if (Status status = file->read(0, file->elements(), array.data.data()); !status)
    return status.error();
  return array;
}

Result<NpyArray> parseNpy(const uint8_t *data, size_t size) {
  Result<NpyHeader> header = readNpyHeader(data, size, size);
  if (header)
    return NpyArray{header->dtype, std::move(header->shape), std::vector<uint8_t>(data + header->start, data + size)};
  std::string kind = mistakenFile(Wanted::Array, data, size);
  return kind.empty() ? header.error() : Error{kind};
}

static Status checkIntegers(const std::string &path, DType dtype) {
  if (isInteger(dtype))
    return {};
  return Error{quote(path) + ": whole numbers (int8 to int64, uint8 to uint64) are needed, not " + nameOf(dtype)};
}

Result<NpyFile> openIntegers(const std::string &path) {
  Result<NpyFile> file = openNpy(path);
  if (file)
    if (Status status = checkIntegers(path, file->dtype); !status)
      return status.error();
  return file;
}

Result<NpyArray> readIntegers(const std::string &path) {
  Result<NpyArray> array = readNpy(path);
  if (array)
    if (Status status = checkIntegers(path, array->dtype); !status)
      return status.error();
  return array;
}

Result<NpyWriter> NpyWriter::create(const std::string &path, DType dtype, const std::vector<int64_t> &shape) {
  auto fail = [&](const std::string &what) { return Error{quote(path) + ": cannot write: " + what}; };
  const char *descr = npyDescr(dtype);
  if (!descr)
    return fail(std::string("no .npy dtype for ") + nameOf(dtype));
  std::optional<uint64_t> bytes = byteSize(shape, dtype);
  if (!bytes)
    return fail("shape " + shapeText(shape) + " is too large");

  std::string text = std::string("{'descr': '") + descr + "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  text += shape.size() == 1 ? ",), }" : "), }";
  // Spaces and a newline up to a multiple of 64, so that the elements are aligned.
  size_t prefix = npyMagicSize + 2 + 2;
  size_t start = (prefix + text.size() + 1 + 63) / 64 * 64;
  text.resize(start - prefix - 1, ' ');
  text += '\n';
  if (text.size() > 0xFFFF)
    return fail("shape " + shapeText(shape) + " has too many extents");
  std::string head(npyMagic, npyMagicSize);
  head += {'\x01', '\x00', char(text.size() & 0xFF), char(text.size() >> 8)};
  head += text;

  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.error();
  if (Status status = file->write(0, head.data(), head.size()); !status)
    return status.error();
  if (Status status = file->resize(start + *bytes); !status)
    return status.error();
  NpyWriter writer(std::move(*file), dtype);
  writer.start = start;
  return writer;
}

Status NpyWriter::write(int64_t first, const void *data, int64_t count) {
  uint64_t size = uint64_t(sizeOf(dtype));
  return file.write(start + uint64_t(first) * size, data, size_t(count) * size);
}

Status NpyWriter::commit() {
  return file.commit();
}

Status writeNpy(const std::string &path, DType dtype, const std::vector<int64_t> &shape, const void *data) {
  Result<NpyWriter> writer = NpyWriter::create(path, dtype, shape);
  if (!writer)
    return writer.error();
  int64_t count = int64_t(*byteSize(shape, dtype)) / sizeOf(dtype);
  if (Status status = writer->write(0, data, count); !status)
    return status;
  return writer->commit();
}

} // namespace chimera::io
