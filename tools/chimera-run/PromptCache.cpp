// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/PromptCache.h"

#include "runtime/core/ModelFile.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/io/File.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace chimera::run {

using io::Error;
using io::Result;
using io::Status;

/// The last of its characters is the version of the format.
static constexpr std::string_view magic = "CHIMPRM1";
static constexpr size_t headerSize = magic.size() + sizeof(uint64_t);
static constexpr size_t digestSize = std::tuple_size_v<runtime::Digest>;

static runtime::Digest digestOf(std::string_view bytes) {
  return runtime::digestOf(runtime::ByteSpan{reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()});
}

static void appendNumber(std::string &bytes, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i)
    bytes += char(value >> (8 * i));
}

static uint64_t numberAt(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i)
    value |= uint64_t(uint8_t(bytes[at + i])) << (8 * i);
  return value;
}

/// Checks format and digest; the number of ids.
static Result<uint64_t> checkFile(std::string_view bytes) {
  if (bytes.size() > magic.size() && bytes[magic.size() - 1] != magic.back())
    return Error{"is of format " + io::quote(std::string(1, bytes[magic.size() - 1])) + ", this program reads " +
                 io::quote(std::string(1, magic.back()))};
  if (bytes.size() < headerSize + digestSize)
    return Error{"is too short"};
  std::string_view content = bytes.substr(0, bytes.size() - digestSize);
  if (std::memcmp(digestOf(content).data(), bytes.data() + content.size(), digestSize) != 0)
    return Error{"is damaged: its digest is wrong"};
  uint64_t count = numberAt(bytes, magic.size(), sizeof(uint64_t));
  if (count == 0 || count > (content.size() - headerSize) / sizeof(int32_t))
    return Error{"is damaged: its number of tokens is wrong"};
  return count;
}

/// Whether the ids of the file are the first of tokens[count], and not all of them.
static Status checkTokens(std::string_view bytes, uint64_t ids, const int32_t *tokens, int64_t count) {
  for (uint64_t i = 0; i < ids && i < uint64_t(count); ++i) {
    auto id = int32_t(numberAt(bytes, headerSize + size_t(i) * sizeof(int32_t), sizeof(int32_t)));
    if (id != tokens[i])
      return Error{"is of another prompt: token " + std::to_string(i) + " is " + std::to_string(id) + " there, " +
                   std::to_string(tokens[i]) + " here"};
  }
  if (ids >= uint64_t(count))
    return Error{"is of a longer prompt: it has " + std::to_string(ids) + " tokens, of which at most " +
                 std::to_string(count - 1) + " can be used here"};
  return {};
}

Result<chimera_sequence> PromptCache::read(Engine &engine, const int32_t *tokens, int64_t count, int64_t &fed) {
  Result<io::File> file = io::File::open(path);
  if (!file)
    return file.error();
  constexpr size_t named = magic.size() - 1;
  Result<std::vector<uint8_t>> start = file->start(named);
  if (!start)
    return start.error();
  const std::string name = io::quote(path) + ": ";
  replaceable = std::equal(start->begin(), start->end(), magic.begin());
  if (!replaceable)
    return Error{name + "is no prompt cache"};
  std::string bytes(size_t(file->size()), '\0');
  if (Status status = file->readAt(0, bytes.data(), bytes.size()); !status)
    return status.error();
  Result<uint64_t> ids = checkFile(bytes);
  if (!ids)
    return Error{name + ids.error().message};
  if (Status status = checkTokens(bytes, *ids, tokens, count); !status)
    return Error{name + status.error().message};
  size_t begin = headerSize + size_t(*ids) * sizeof(int32_t), end = bytes.size() - digestSize;
  Result<chimera_sequence> sequence =
      engine.restoreSequence(std::string_view(bytes).substr(begin, end - begin), int64_t(*ids));
  if (!sequence)
    return Error{name + sequence.error().message};
  fed = int64_t(*ids);
  return sequence;
}

bool PromptCache::restore(Engine &engine, const int32_t *tokens, int64_t count, chimera_sequence &sequence,
                          int64_t &fed) {
  std::error_code code;
  if (!std::filesystem::exists(path, code) && !code)
    return false;
  Result<chimera_sequence> restored = read(engine, tokens, count, fed);
  if (restored)
    sequence = *restored;
  else if (replaceable)
    std::fprintf(stderr, "chimera-run: --prompt-cache is made again: %s\n", restored.error().message.c_str());
  else
    std::fprintf(stderr, "chimera-run: --prompt-cache is not used: %s, so it stays as it is\n",
                 restored.error().message.c_str());
  return bool(restored);
}

void PromptCache::save(const Engine &engine, chimera_sequence sequence, const int32_t *tokens, int64_t count) {
  std::string bytes(magic);
  appendNumber(bytes, uint64_t(count), sizeof(uint64_t));
  for (int64_t i = 0; i < count; ++i)
    appendNumber(bytes, uint32_t(tokens[i]), sizeof(int32_t));
  result = engine.appendSnapshot(sequence, bytes);
  if (!result)
    return;
  runtime::Digest digest = digestOf(bytes);
  bytes.append(digest.begin(), digest.end());
  result = io::writeWhole(path, bytes);
}

} // namespace chimera::run
