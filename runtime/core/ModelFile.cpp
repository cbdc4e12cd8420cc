// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/ModelFile.h"

#include "runtime/io/FileKind.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

namespace chimera::runtime {

static constexpr char magic[] = "CHIMERA1";
static constexpr size_t magicSize = 8;

static Digest canonical(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  Digest digest;
  static_assert(sizeof canonical.digest == sizeof digest);
  std::memcpy(digest.data(), canonical.digest, sizeof digest);
  return digest;
}

Digest digestOf(ByteSpan bytes) {
  return canonical(XXH3_128bits(bytes.data, bytes.size));
}

void appendTrailer(std::vector<uint8_t> &elf) {
  Digest digest = digestOf({elf.data(), elf.size()});
  uint64_t length = elf.size();
  elf.insert(elf.end(), magic, magic + magicSize);
  for (int shift = 0; shift < 64; shift += 8)
    elf.push_back(uint8_t(length >> shift));
  elf.insert(elf.end(), digest.begin(), digest.end());
}

Result<ModelFile> checkModelFile(std::string name, std::vector<uint8_t> bytes) {
  auto error = [&](const std::string &what) { return Error(name + ": " + what); };
  if (bytes.size() < ModelFile::trailerSize)
    return error("not a model binary: shorter than the trailer");
  size_t elfSize = bytes.size() - ModelFile::trailerSize;
  const uint8_t *trailer = bytes.data() + elfSize;
  if (std::memcmp(trailer, magic, magicSize) != 0)
    return error("not a model binary, or cut: the trailer's magic is not there");
  uint64_t length = 0;
  for (int i = 0; i < 8; ++i)
    length |= uint64_t(trailer[magicSize + i]) << (8 * i);
  if (length != elfSize)
    return error("corrupt model binary: the trailer says " + std::to_string(length) + " bytes, there are " +
                 std::to_string(elfSize));
  Digest digest = digestOf({bytes.data(), elfSize});
  if (std::memcmp(digest.data(), trailer + magicSize + 8, digest.size()) != 0)
    return error("corrupt model binary: the digest does not match");
  bytes.resize(elfSize);
  Result<ByteSpan> section = findSection({bytes.data(), elfSize}, ".chimera.manifest");
  if (!section)
    return error(section.error().message);
  size_t offset = section->data - bytes.data(), size = section->size;
  return ModelFile{std::move(name), std::move(bytes), digest, offset, size};
}

io::Result<Digest> digestOf(const io::File &file) {
  constexpr size_t pieceBytes = size_t(256) << 10;
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t *)> state(XXH3_createState(), XXH3_freeState);
  if (!state)
    throw std::bad_alloc();
  XXH3_128bits_reset(state.get());
  std::vector<uint8_t> piece(size_t(std::min<uint64_t>(pieceBytes, file.size())));
  for (uint64_t at = 0; at < file.size(); at += piece.size()) {
    piece.resize(size_t(std::min<uint64_t>(piece.size(), file.size() - at)));
    if (io::Status status = file.readAt(at, piece.data(), piece.size()); !status)
      return status.error();
    XXH3_128bits_update(state.get(), piece.data(), piece.size());
  }
  return canonical(XXH3_128bits_digest(state.get()));
}

Result<ModelFile> readModelFile(const std::string &path) {
  io::Result<io::File> file = io::File::open(path);
  if (!file)
    return Error(file.error());
  io::Result<std::vector<uint8_t>> start = file->start(io::kindBytes);
  if (!start)
    return Error(start.error());
  if (std::string kind = io::mistakenFile(io::Wanted::Model, start->data(), start->size()); !kind.empty())
    return Error(path + ": " + kind);
  io::Result<std::vector<uint8_t>> bytes = file->start(size_t(file->size()));
  if (!bytes)
    return Error(bytes.error());
  return checkModelFile(path, std::move(*bytes));
}

} // namespace chimera::runtime
