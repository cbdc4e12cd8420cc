// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The header of one safetensors file, and the index of several, checked.
#ifndef CHIMERA_RUNTIME_IO_SAFETENSORSHEADER_H
#define CHIMERA_RUNTIME_IO_SAFETENSORSHEADER_H

#include "runtime/io/Safetensors.h"

#include <map>
#include <optional>
#include <set>
#include <string>

namespace chimera::io {

/// The bytes before the header's text: its length.
inline constexpr size_t safetensorsPrefix = 8;

/// The tensors of one file, and its metadata.
struct SafetensorsHeader {
  std::vector<StoredTensor> tensors; ///< In the order of their bytes; `file` is not set.
  std::map<std::string, std::string> metadata;
};

/// The bytes of the header's text, from the first `count` of a file of `fileSize` bytes. Errors, which do not name the
/// file: too few bytes, a header longer than 100 MB or than the file, no '{'.
Result<uint64_t> safetensorsHeaderSize(const uint8_t *start, size_t count, uint64_t fileSize);

/// Reads and checks the text of the header of a file of `fileSize` bytes. An error does not name the file.
Result<SafetensorsHeader> parseSafetensorsHeader(const std::string &text, uint64_t fileSize);

/// The tensors that each shard of a checkpoint is to give.
using ShardMap = std::map<std::string, std::set<std::string>>;

/// Reads the JSON text of an index. An error does not name the file.
Result<ShardMap> readSafetensorsIndex(const void *text, size_t size);

/// The product of the shape times the element size, or nothing on overflow of
/// 63 bits or a negative extent.
std::optional<uint64_t> byteSize(const std::vector<int64_t> &shape, DType type);

/// The name of a type in the header, "BF16", and back.
const char *safetensorsName(DType type);
std::optional<DType> safetensorsType(const std::string &name);

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_SAFETENSORSHEADER_H
