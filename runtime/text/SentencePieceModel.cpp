// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/SentencePieceModel.h"

#include <cstdint>
#include <cstring>
#include <optional>

namespace chimera::text {

namespace {
/// The fields of a message in Protocol Buffers' wire format, one after the other.
class Message {
public:
  struct Field {
    uint64_t number = 0;
    uint64_t value = 0;     ///< Of a varint.
    std::string_view bytes; ///< Of a string or message.
  };

  explicit Message(std::string_view bytes) : rest(bytes) {}

  /// The next field; nothing at the end, and at what is no field, which `damaged` then says.
  std::optional<Field> next() {
    if (rest.empty())
      return std::nullopt;
    uint64_t tag = varint();
    Field field;
    field.number = tag >> 3;
    switch (tag & 7) {
    case 0:
      field.value = varint();
      break;
    case 1:
      take(8);
      break;
    case 2:
      field.bytes = take(varint());
      break;
    case 5:
      take(4);
      break;
    default: // groups are not used
      damaged = true;
    }
    return damaged ? std::nullopt : std::optional(field);
  }

  bool damaged = false;

private:
  uint64_t varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest.empty(); shift += 7) {
      uint8_t byte = uint8_t(rest.front());
      rest.remove_prefix(1);
      value |= uint64_t(byte & 0x7F) << shift;
      if (byte < 0x80)
        return value;
    }
    damaged = true;
    return 0;
  }
  std::string_view take(uint64_t size) {
    if (size > rest.size()) {
      damaged = true;
      return {};
    }
    std::string_view taken = rest.substr(0, size_t(size));
    rest.remove_prefix(size_t(size));
    return taken;
  }

  std::string_view rest;
};
} // namespace

/// Checks a precompiled_charsmap: the size of a double array (Darts) in bytes, the array, and the texts it leads to,
/// each ended by a zero. From unit i a search goes to i ^ offset ^ byte, for any byte; a unit with the bit of a leaf
/// has the place of a text in unit i ^ offset. No search comes by a unit with the highest bit, but it begins at the
/// first.
static bool isSafe(std::string_view map) {
  uint32_t size = 0;
  if (map.size() <= sizeof size)
    return false;
  std::memcpy(&size, map.data(), sizeof size);
  map.remove_prefix(sizeof size);
  if (size >= map.size() || size % 4 != 0 || map.back() != 0)
    return false;
  size_t units = size / 4, texts = map.size() - size;
  auto unitAt = [&](size_t i) {
    uint32_t unit = 0;
    std::memcpy(&unit, map.data() + i * 4, sizeof unit);
    return unit;
  };
  for (size_t i = 0; i < units; ++i) {
    uint32_t unit = unitAt(i);
    if (unit >> 31 != 0 && i > 0)
      continue;
    size_t offset = size_t(unit >> 10) << ((unit & (1u << 9)) >> 6), next = i ^ offset;
    bool hasLeaf = (unit >> 8 & 1) != 0;
    if ((next | 0xFF) >= units || (hasLeaf && (unitAt(next) & 0x7FFFFFFF) >= texts))
      return false;
  }
  return units >= 256;
}

static io::Status readNormalizer(std::string_view bytes, SentencePieceModel &model) {
  Message spec(bytes);
  while (std::optional<Message::Field> field = spec.next()) {
    if (field->number == 2 && !field->bytes.empty() && !isSafe(field->bytes))
      return io::Error{"the table of its normalizer is damaged"};
    if (field->number == 3)
      model.addDummyPrefix = field->value != 0;
    if (field->number == 4)
      model.removeExtraSpaces = field->value != 0;
  }
  return spec.damaged ? io::Status(io::Error{"not a SentencePiece model: its normalizer is damaged"}) : io::Status();
}

io::Result<SentencePieceModel> SentencePieceModel::read(std::string_view bytes) {
  SentencePieceModel model;
  Message message(bytes);
  bool hasPieces = false;
  while (std::optional<Message::Field> field = message.next()) {
    hasPieces |= field->number == 1;
    if (field->number == 3)
      if (io::Status status = readNormalizer(field->bytes, model); !status)
        return status.error();
    if (field->number != 2 && field->number != 5)
      continue;
    Message spec(field->bytes);
    while (std::optional<Message::Field> inner = spec.next()) {
      if (field->number == 2 && inner->number == 44)
        model.unknownSurface = inner->bytes;
      if (field->number == 5 && inner->number == 2 && !inner->bytes.empty())
        return io::Error{"a denormalizer is not supported"};
    }
    message.damaged |= spec.damaged;
  }
  if (message.damaged || !hasPieces)
    return io::Error{"not a SentencePiece model, or it is damaged"};
  return model;
}

} // namespace chimera::text
