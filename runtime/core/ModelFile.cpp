// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/ModelFile.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace chimera::runtime {

static constexpr char magic[] = "CHIMERA1";
static constexpr size_t magicSize = 8;

Digest digestOf(ByteSpan bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data, bytes.size));
  Digest digest;
  static_assert(sizeof canonical.digest == sizeof digest);
  std::memcpy(digest.data(), canonical.digest, sizeof digest);
  return digest;
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

/// Closes a descriptor at the end of a scope.
struct DescriptorCloser {
  int descriptor;
  ~DescriptorCloser() { close(descriptor); }
};

Result<ModelFile> readModelFile(const std::string &path) {
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return Error(systemError(path, errno).message);
  DescriptorCloser closer{descriptor};
  struct stat status;
  if (fstat(descriptor, &status) != 0)
    return systemError(path, errno);
  if (!S_ISREG(status.st_mode))
    return Error(path + ": not a regular file");
  std::vector<uint8_t> bytes(size_t(status.st_size));
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t got = read(descriptor, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return systemError(path, errno);
    if (got == 0)
      break;
    done += size_t(got);
  }
  bytes.resize(done);
  return checkModelFile(path, std::move(bytes));
}

} // namespace chimera::runtime
