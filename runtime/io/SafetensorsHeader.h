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

/// The tensors of one file, pointing into its bytes, and its metadata.
struct SafetensorsHeader {
  std::vector<TensorView> tensors; ///< In the order of their bytes.
  std::map<std::string, std::string> metadata;
};

/// Reads and checks the header of the `size` bytes at `data`. An error does not
/// name the file.
Result<SafetensorsHeader> readSafetensorsHeader(const uint8_t *data, size_t size);

/// The tensors that each shard of a checkpoint is to give.
using ShardMap = std::map<std::string, std::set<std::string>>;

/// Reads the JSON text of an index. An error does not name the file.
Result<ShardMap> readSafetensorsIndex(const uint8_t *data, size_t size);

/// The product of the shape times the element size, or nothing on overflow of
/// 63 bits or a negative extent.
std::optional<uint64_t> byteSize(const std::vector<int64_t> &shape, DType type);

/// The name of a type in the header, "BF16", and back.
const char *safetensorsName(DType type);
std::optional<DType> safetensorsType(const std::string &name);

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_SAFETENSORSHEADER_H
