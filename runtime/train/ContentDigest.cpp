// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/ContentDigest.h"

#include "runtime/train/CheckpointFiles.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace chimera::train {

using runtime::Error;
using runtime::Failure;
using runtime::Result;

namespace {

/// Files as one stream. One is open at a time, as a process may have only so many. They are read in pieces: mapped, one
/// that another program cuts would end this one.
class FileStream {
public:
  FileStream() = default;
  FileStream(const FileStream &) = delete;
  FileStream &operator=(const FileStream &) = delete;
  ~FileStream() { shut(); }

  /// Appends a file; its size.
  Result<uint64_t> add(const std::string &path) {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0)
      return runtime::systemError(io::quote(path) + ": cannot open", errno);
    files.push_back({path, uint64_t(info.st_size)});
    return files.back().size;
  }

  Failure read(uint64_t offset, std::string &piece) {
    char *to = piece.data();
    uint64_t left = piece.size();
    for (size_t index = 0; index < files.size() && left > 0; ++index) {
      uint64_t size = files[index].size;
      if (offset >= size) {
        offset -= size;
        continue;
      }
      uint64_t count = std::min(left, size - offset);
      if (Failure failure = readFile(index, offset, to, count))
        return failure;
      to += count;
      left -= count;
      offset = 0;
    }
    return std::nullopt;
  }

private:
  struct File {
    std::string path;
    uint64_t size;
  };

  void shut() {
    if (descriptor >= 0)
      ::close(descriptor);
    descriptor = -1;
  }

  Failure readFile(size_t index, uint64_t offset, char *to, uint64_t count) {
    const std::string &path = files[index].path;
    if (descriptor < 0 || open != index) {
      shut();
      descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
      open = index;
    }
    if (descriptor < 0)
      return runtime::systemError(io::quote(path) + ": cannot open", errno);
    while (count) {
      ssize_t got = ::pread(descriptor, to, count, off_t(offset));
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        return runtime::systemError(io::quote(path) + ": cannot read", errno);
      if (got == 0)
        return Error(io::quote(path) + ": was cut while it was read");
      to += got;
      offset += uint64_t(got);
      count -= uint64_t(got);
    }
    return std::nullopt;
  }

  std::vector<File> files;
  size_t open = 0;     ///< Which of them is.
  int descriptor = -1; ///< Of that; -1: none.
};

} // namespace

Result<std::string> contentDigest(const std::vector<std::string> &paths) {
  FileStream stream;
  uint64_t total = 0;
  std::string parts; // sizes, then the digest of each block
  for (const std::string &path : paths) {
    Result<uint64_t> size = stream.add(path);
    if (!size)
      return size.error();
    total += *size;
    parts += std::to_string(*size) + "\n";
  }
  bool whole = total <= wholeContentBytes;
  uint64_t blocks = whole ? (total + contentBlockBytes - 1) / contentBlockBytes : contentBlocks;
  for (uint64_t i = 0; i < blocks; ++i) {
    uint64_t offset =
        whole ? i * contentBlockBytes
              : uint64_t(static_cast<unsigned __int128>(total - contentBlockBytes) * i / (contentBlocks - 1));
    std::string block(size_t(std::min(contentBlockBytes, total - offset)), '\0');
    if (Failure failure = stream.read(offset, block))
      return *failure;
    parts += digestText(block);
  }
  return digestText(parts);
}

} // namespace chimera::train
