// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/ContentDigest.h"

#include "runtime/train/CheckpointFiles.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace chimera::train {

using runtime::Error;
using runtime::Failure;
using runtime::Result;

namespace {

/// A file that is read in pieces: mapped, one that another program cuts would end this one.
class ReadFile {
public:
  static Result<std::unique_ptr<ReadFile>> open(const std::string &path) {
    int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
      return runtime::systemError(io::quote(path) + ": cannot open", errno);
    std::unique_ptr<ReadFile> file(new ReadFile(path, descriptor));
    struct stat info;
    if (::fstat(descriptor, &info) != 0)
      return runtime::systemError(io::quote(path) + ": cannot open", errno);
    file->size = uint64_t(info.st_size);
    return file;
  }
  ReadFile(const ReadFile &) = delete;
  ReadFile &operator=(const ReadFile &) = delete;
  ~ReadFile() { ::close(descriptor); }

  Failure read(uint64_t offset, char *to, uint64_t count) const {
    while (count) {
      ssize_t got = ::pread(descriptor, to, count, off_t(offset));
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        return runtime::systemError(io::quote(path) + ": cannot read", errno);
      if (got == 0)
        return Error(io::quote(path) + ": was made shorter while it was read");
      to += got;
      offset += uint64_t(got);
      count -= uint64_t(got);
    }
    return std::nullopt;
  }

  uint64_t size = 0;

private:
  ReadFile(std::string path, int descriptor) : path(std::move(path)), descriptor(descriptor) {}

  std::string path;
  int descriptor;
};

using Files = std::vector<std::unique_ptr<ReadFile>>;

/// Reads a piece of the files as one stream.
Failure readStream(const Files &files, uint64_t offset, std::string &piece) {
  char *to = piece.data();
  uint64_t left = piece.size();
  for (const auto &file : files) {
    if (offset >= file->size) {
      offset -= file->size;
      continue;
    }
    uint64_t count = std::min(left, file->size - offset);
    if (Failure failure = file->read(offset, to, count))
      return failure;
    to += count;
    left -= count;
    offset = 0;
    if (left == 0)
      break;
  }
  return std::nullopt;
}

} // namespace

Result<std::string> contentDigest(const std::vector<std::string> &paths) {
  Files files;
  uint64_t total = 0;
  std::string parts; // sizes, then the digest of each block
  for (const std::string &path : paths) {
    Result<std::unique_ptr<ReadFile>> file = ReadFile::open(path);
    if (!file)
      return file.error();
    total += (*file)->size;
    parts += std::to_string((*file)->size) + "\n";
    files.push_back(std::move(*file));
  }
  bool whole = total <= wholeContentBytes;
  uint64_t blocks = whole ? (total + contentBlockBytes - 1) / contentBlockBytes : contentBlocks;
  for (uint64_t i = 0; i < blocks; ++i) {
    uint64_t offset =
        whole ? i * contentBlockBytes
              : uint64_t(static_cast<unsigned __int128>(total - contentBlockBytes) * i / (contentBlocks - 1));
    std::string block(size_t(std::min(contentBlockBytes, total - offset)), '\0');
    if (Failure failure = readStream(files, offset, block))
      return *failure;
    parts += digestText(block);
  }
  return digestText(parts);
}

} // namespace chimera::train
