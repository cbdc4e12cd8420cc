// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/ContentDigest.h"

#include "runtime/io/File.h"
#include "runtime/train/CheckpointFiles.h"

#include <algorithm>

namespace chimera::train {

using runtime::Error;
using runtime::Failure;
using runtime::Result;

namespace {

using Files = std::vector<io::File>;

/// Reads a piece of the files as one stream.
Failure readStream(const Files &files, uint64_t offset, std::string &piece) {
  char *to = piece.data();
  uint64_t left = piece.size();
  for (const io::File &file : files) {
    if (offset >= file.size()) {
      offset -= file.size();
      continue;
    }
    uint64_t count = std::min(left, file.size() - offset);
    if (io::Status status = file.readAt(offset, to, size_t(count)); !status)
      return Error(status.error());
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
    io::Result<io::File> file = io::File::open(path);
    if (!file)
      return Error(file.error());
    total += file->size();
    parts += std::to_string(file->size()) + "\n";
    file->release(); // A process may have only so many open.
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
