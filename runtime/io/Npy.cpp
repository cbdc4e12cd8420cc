// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Npy.h"

#include "runtime/io/MappedFile.h"
#include "runtime/io/Safetensors.h"
#include "runtime/io/SafetensorsHeader.h"

#include <cstring>

namespace chimera::io {

static constexpr char magic[] = "\x93NUMPY";
static constexpr size_t magicSize = 6;

static std::optional<DType> typeOfDescr(const std::string &descr) {
  if (descr == "|i1" || descr == "<i1")
    return DType::I8;
  if (descr == "<i4")
    return DType::I32;
  if (descr == "<i8")
    return DType::I64;
  if (descr == "<f4")
    return DType::F32;
  if (descr == "<f8")
    return DType::F64;
  return std::nullopt;
}

static const char *descrOf(DType type) {
  switch (type) {
  case DType::I8:
    return "|i1";
  case DType::I32:
    return "<i4";
  case DType::I64:
    return "<i8";
  case DType::F32:
    return "<f4";
  case DType::F64:
    return "<f8";
  default:
    return nullptr;
  }
}

namespace {
/// What the dict literal says.
struct NpyHeader {
  std::optional<std::string> descr;
  std::optional<bool> fortranOrder;
  std::optional<std::vector<int64_t>> shape;
};

/// A recursive descent parser of exactly the literals that NumPy writes.
class HeaderParser {
public:
  HeaderParser(const char *begin, const char *end) : begin(begin), at(begin), end(end) {}

  Result<NpyHeader> parse() {
    NpyHeader header;
    if (!take('{'))
      return fail("no '{'");
    while (!take('}')) {
      std::optional<std::string> key = string();
      if (!key || !take(':'))
        return fail("no key");
      if (Status status = value(*key, header); !status)
        return status.error();
      if (!take(',') && !peek('}'))
        return fail("no ',' or '}'");
    }
    skip();
    if (at != end)
      return fail("text after the '}'");
    if (!header.descr || !header.fortranOrder || !header.shape)
      return Error{std::string("header: no ") + (!header.descr          ? "descr"
                                                 : !header.fortranOrder ? "fortran_order"
                                                                        : "shape")};
    return header;
  }

private:
  Status value(const std::string &key, NpyHeader &header) {
    if ((key == "descr" && header.descr) || (key == "fortran_order" && header.fortranOrder) ||
        (key == "shape" && header.shape))
      return fail("the key " + quote(key) + " occurs twice");
    bool good;
    if (key == "descr")
      good = (header.descr = string()).has_value();
    else if (key == "fortran_order")
      good = (header.fortranOrder = boolean()).has_value();
    else if (key == "shape")
      good = (header.shape = tuple()).has_value();
    else
      return fail("unknown key " + quote(key));
    return good ? Status() : fail("a bad value of " + key);
  }

  void skip() {
    while (at != end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
      ++at;
  }
  bool peek(char wanted) {
    skip();
    return at != end && *at == wanted;
  }
  bool take(char wanted) {
    if (!peek(wanted))
      return false;
    ++at;
    return true;
  }
  bool word(const char *wanted) {
    skip();
    size_t length = std::strlen(wanted);
    if (size_t(end - at) < length || std::memcmp(at, wanted, length) != 0)
      return false;
    at += length;
    return true;
  }
  std::optional<bool> boolean() {
    if (word("True"))
      return true;
    if (word("False"))
      return false;
    return std::nullopt;
  }
  /// A string without escapes.
  std::optional<std::string> string() {
    skip();
    if (at == end || (*at != '\'' && *at != '"'))
      return std::nullopt;
    char mark = *at++;
    const char *first = at;
    while (at != end && *at != mark && *at != '\\' && *at != '\n')
      ++at;
    if (at == end || *at != mark)
      return std::nullopt;
    return std::string(first, at++);
  }
  std::optional<int64_t> integer() {
    skip();
    if (at == end || *at < '0' || *at > '9')
      return std::nullopt;
    int64_t number = 0;
    for (; at != end && *at >= '0' && *at <= '9'; ++at)
      if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *at - '0', &number))
        return std::nullopt;
    return number;
  }
  /// (), (n,), (n, m), ...: at most 32 numbers, as in NumPy.
  std::optional<std::vector<int64_t>> tuple() {
    std::vector<int64_t> numbers;
    if (!take('('))
      return std::nullopt;
    bool comma = true;
    while (!take(')')) {
      std::optional<int64_t> number = comma ? integer() : std::nullopt;
      if (!number || numbers.size() == 32)
        return std::nullopt;
      numbers.push_back(*number);
      comma = take(',');
    }
    if (numbers.size() == 1 && !comma)
      return std::nullopt; // (n) is a number
    return numbers;
  }
  Error fail(const std::string &what) const { return Error{"header byte " + std::to_string(at - begin) + ": " + what}; }

  const char *begin, *at, *end;
};
} // namespace

int64_t NpyArray::integer(int64_t index) const {
  auto load = [&](auto value) {
    std::memcpy(&value, data.data() + size_t(index) * sizeof value, sizeof value);
    return int64_t(value);
  };
  return dtype == DType::I8 ? load(int8_t()) : dtype == DType::I32 ? load(int32_t()) : load(int64_t());
}

Result<NpyArray> parseNpy(const uint8_t *data, size_t size) {
  if (size < magicSize + 4 || std::memcmp(data, magic, magicSize) != 0)
    return Error{"not an .npy file"};
  unsigned version = data[magicSize];
  if (version < 1 || version > 3 || data[magicSize + 1] != 0)
    return Error{"an .npy file of version " + std::to_string(version) + "." + std::to_string(data[magicSize + 1]) +
                 "; 1.0, 2.0 and 3.0 can be read"};
  size_t lengthSize = version == 1 ? 2 : 4, headerStart = magicSize + 2 + lengthSize;
  uint32_t length = 0;
  if (size >= headerStart)
    std::memcpy(&length, data + magicSize + 2, lengthSize);
  if (size < headerStart || length > size - headerStart)
    return Error{"the file ends inside its header"};
  const char *text = reinterpret_cast<const char *>(data) + headerStart;
  Result<NpyHeader> header = HeaderParser(text, text + length).parse();
  if (!header)
    return header.error();
  std::optional<DType> dtype = typeOfDescr(*header->descr);
  if (!dtype)
    return Error{"dtype " + quote(*header->descr) + " is none of int8, int32, int64, float32, float64 (little endian)"};
  if (*header->fortranOrder)
    return Error{"the array is in Fortran order; save it in C order (numpy.ascontiguousarray)"};
  size_t dataStart = headerStart + length, dataSize = size - dataStart;
  std::optional<uint64_t> bytes = byteSize(*header->shape, *dtype);
  if (!bytes || *bytes != dataSize)
    return Error{"shape " + shapeText(*header->shape) + " of " + nameOf(*dtype) + " does not make the " +
                 std::to_string(dataSize) + " bytes of data in the file"};
  return NpyArray{*dtype, *header->shape, std::vector<uint8_t>(data + dataStart, data + size)};
}

Result<NpyArray> readNpy(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  Result<NpyArray> array = parseNpy(file->data(), file->size());
  if (!array)
    return Error{quote(path) + ": " + array.error().message};
  return array;
}

Result<NpyWriter> NpyWriter::create(const std::string &path, DType dtype, const std::vector<int64_t> &shape) {
  auto fail = [&](const std::string &what) { return Error{quote(path) + ": cannot write: " + what}; };
  const char *descr = descrOf(dtype);
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
  size_t prefix = magicSize + 2 + 2;
  size_t start = (prefix + text.size() + 1 + 63) / 64 * 64;
  text.resize(start - prefix - 1, ' ');
  text += '\n';
  if (text.size() > 0xFFFF)
    return fail("shape " + shapeText(shape) + " has too many extents");
  std::string head(magic, magicSize);
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
