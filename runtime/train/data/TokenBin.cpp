// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/TokenBin.h"

#include <algorithm>
#include <array>

namespace chimera::train {

namespace {
/// What write_datafile of llm.c (dev/data/data_common.py) puts before the ids: int32 numbers, of which the first three
/// are a magic number, a version and how many ids follow.
constexpr uint64_t headerBytes = 256 * 4;
struct Known {
  uint32_t magic, version;
  io::DType type;
};
constexpr Known known[] = {{20240520, 1, io::DType::U16}, {20240801, 7, io::DType::U32}};
constexpr int64_t mostOfTwoBytes = int64_t(1) << 16;
} // namespace

static io::DType typeOf(FileForm form) {
  return form == FileForm::U16 ? io::DType::U16 : io::DType::U32;
}

/// "ids of two bytes"
static std::string idsOf(io::DType type) {
  return type == io::DType::U16 ? "ids of two bytes" : "ids of four bytes";
}

/// The width that a header names, after a look at the rest of it; nothing: there is no header.
static io::Result<std::optional<io::DType>> readHeader(const io::File &file) {
  std::optional<io::DType> none;
  if (file.size() < headerBytes)
    return none;
  std::array<uint8_t, 12> start;
  if (io::Status status = file.readAt(0, start.data(), start.size()); !status)
    return status.error();
  auto number = [&](int64_t i) { return uint32_t(io::integerAt(io::DType::U32, start.data(), i)); };
  const Known *found =
      std::find_if(std::begin(known), std::end(known), [&](const Known &format) { return format.magic == number(0); });
  if (found == std::end(known))
    return none;
  if (number(1) != found->version)
    return io::Error{io::quote(file.path()) + ": is a token file of llm.c of version " + std::to_string(number(1)) +
                     ", and version " + std::to_string(found->version) + " is known"};
  uint64_t wanted = headerBytes + uint64_t(number(2)) * uint64_t(io::sizeOf(found->type));
  if (wanted != file.size())
    return io::Error{io::quote(file.path()) + ": its header says that " + std::to_string(number(2)) + " " +
                     idsOf(found->type) + " follow, " + std::to_string(wanted) +
                     " bytes with the header; the file has " + std::to_string(file.size())};
  return std::optional(found->type);
}

io::Result<bool> hasTokenHeader(const io::File &file) {
  io::Result<std::optional<io::DType>> header = readHeader(file);
  if (!header)
    return header.error();
  return header->has_value();
}

io::Result<std::optional<io::NpyFile>> openTokenBin(io::File &file, FileForm form, int64_t vocabulary) {
  io::Result<std::optional<io::DType>> header = readHeader(file);
  if (!header)
    return header.error();
  if (!*header && form == FileForm::ByName)
    return std::optional<io::NpyFile>();
  const std::string name = io::quote(file.path());
  io::DType type = *header ? **header : typeOf(form);
  if (form != FileForm::ByName && type != typeOf(form))
    return io::Error{name + ": its header says that it holds " + idsOf(type) + ", and --data says " +
                     idsOf(typeOf(form))};
  if (type == io::DType::U16 && vocabulary > mostOfTwoBytes)
    return io::Error{name + ": holds ids of two bytes, which are too narrow for the model's vocabulary of " +
                     std::to_string(vocabulary)};
  uint64_t start = *header ? headerBytes : 0, bytes = file.size() - start, width = uint64_t(io::sizeOf(type));
  if (bytes % width != 0)
    return io::Error{name + ": has " + std::to_string(bytes) + " bytes, which is no whole number of " + idsOf(type)};
  return std::optional(io::NpyFile{std::move(file), type, {int64_t(bytes / width)}, start});
}

io::Result<bool> looksTwiceAsWide(const io::NpyFile &ids) {
  constexpr int64_t most = 1 << 15, least = 32;
  int64_t count = std::min(most, ids.elements());
  if (ids.dtype != io::DType::U16 || count < least)
    return false;
  std::vector<uint8_t> sample(size_t(count) * 2);
  if (io::Status status = ids.read(0, count, sample.data()); !status)
    return status.error();
  for (int64_t i = 1; i < count; i += 2)
    if (io::integerAt(ids.dtype, sample.data(), i) != 0)
      return false;
  return true;
}

/// A number as its bytes, the lowest first.
static void putNumber(std::vector<uint8_t> &bytes, uint32_t number, int width) {
  for (int i = 0; i < width; ++i)
    bytes.push_back(uint8_t(number >> (8 * i)));
}

io::Result<TokenBinWriter> TokenBinWriter::create(const std::string &path, int64_t vocabulary) {
  io::Result<io::AtomicFile> file = io::AtomicFile::create(path);
  if (!file)
    return file.error();
  return TokenBinWriter(path, std::move(*file), vocabulary <= mostOfTwoBytes);
}

io::Status TokenBinWriter::append(const std::vector<int32_t> &ids) {
  const int width = narrow ? 2 : 4;
  if (count + ids.size() > UINT32_MAX)
    return io::Error{io::quote(path) + ": more than " + std::to_string(UINT32_MAX) +
                     " token ids of one source; take several (--data may be given again)"};
  std::vector<uint8_t> bytes;
  bytes.reserve(ids.size() * size_t(width));
  for (int32_t id : ids)
    putNumber(bytes, uint32_t(id), width);
  uint64_t offset = headerBytes + count * uint64_t(width);
  count += ids.size();
  return file.write(offset, bytes.data(), bytes.size());
}

io::Status TokenBinWriter::commit() {
  const Known &format = known[narrow ? 0 : 1];
  std::vector<uint8_t> header;
  for (uint32_t number : {format.magic, format.version, uint32_t(count)})
    putNumber(header, number, 4);
  header.resize(headerBytes);
  if (io::Status status = file.write(0, header.data(), header.size()); !status)
    return status;
  return file.commit();
}

} // namespace chimera::train
