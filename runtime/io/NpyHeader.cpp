// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/NpyHeader.h"

#include "runtime/io/Safetensors.h"
#include "runtime/io/SafetensorsHeader.h"

#include <cstring>

namespace chimera::io {

/// The types of arrays and their names in a header; the first of a type is written.
static constexpr struct {
  DType type;
  const char *descr;
} descriptions[] = {
    {DType::I8, "|i1"},  {DType::I8, "<i1"},  {DType::U8, "|u1"},  {DType::U8, "<u1"},
    {DType::I16, "<i2"}, {DType::U16, "<u2"}, {DType::I32, "<i4"}, {DType::U32, "<u4"},
    {DType::I64, "<i8"}, {DType::U64, "<u8"}, {DType::F32, "<f4"}, {DType::F64, "<f8"},
};

static std::optional<DType> typeOfDescr(const std::string &descr) {
  for (const auto &[type, name] : descriptions)
    if (descr == name)
      return type;
  return std::nullopt;
}

const char *npyDescr(DType wanted) {
  for (const auto &[type, name] : descriptions)
    if (type == wanted)
      return name;
  return nullptr;
}

namespace {
/// What the dict literal says.
struct Literal {
  std::optional<std::string> descr;
  std::optional<bool> fortranOrder;
  std::optional<std::vector<int64_t>> shape;
};

/// A recursive descent parser of exactly the literals that NumPy writes.
class HeaderParser {
public:
  HeaderParser(const char *begin, const char *end) : begin(begin), at(begin), end(end) {}

  Result<Literal> parse() {
    Literal header;
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
  Status value(const std::string &key, Literal &header) {
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

Result<NpyHeader> readNpyHeader(const uint8_t *start, size_t count, uint64_t fileSize) {
  if (count < npyMagicSize + 4 || std::memcmp(start, npyMagic, npyMagicSize) != 0)
    return Error{"not an .npy file"};
  unsigned version = start[npyMagicSize];
  if (version < 1 || version > 3 || start[npyMagicSize + 1] != 0)
    return Error{"an .npy file of version " + std::to_string(version) + "." + std::to_string(start[npyMagicSize + 1]) +
                 "; 1.0, 2.0 and 3.0 can be read"};
  size_t lengthSize = version == 1 ? 2 : 4, textStart = npyMagicSize + 2 + lengthSize;
  uint32_t length = 0;
  if (count >= textStart)
    std::memcpy(&length, start + npyMagicSize + 2, lengthSize);
  if (count < textStart || length > fileSize - textStart)
    return Error{"the file ends inside its header"};
  if (length > count - textStart)
    return Error{"a header of " + std::to_string(length) + " bytes is too long"};
  const char *text = reinterpret_cast<const char *>(start) + textStart;
  Result<Literal> literal = HeaderParser(text, text + length).parse();
  if (!literal)
    return literal.error();
  std::optional<DType> dtype = typeOfDescr(*literal->descr);
  if (!dtype)
    return Error{"dtype " + quote(*literal->descr) +
                 " cannot be read; int8 to int64, uint8 to uint64, float32 and float64 (little endian) can"};
  if (*literal->fortranOrder)
    return Error{"the array is in Fortran order; save it in C order (numpy.ascontiguousarray)"};
  NpyHeader header{*dtype, *literal->shape, textStart + length};
  uint64_t dataSize = fileSize - header.start;
  std::optional<uint64_t> bytes = byteSize(header.shape, header.dtype);
  if (!bytes || *bytes != dataSize)
    return Error{"shape " + shapeText(header.shape) + " of " + nameOf(header.dtype) + " does not make the " +
                 std::to_string(dataSize) + " bytes of data in the file"};
  return header;
}

} // namespace chimera::io
