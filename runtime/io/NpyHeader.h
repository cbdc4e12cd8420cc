// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The header of an .npy file, checked.
#ifndef CHIMERA_RUNTIME_IO_NPYHEADER_H
#define CHIMERA_RUNTIME_IO_NPYHEADER_H

#include "runtime/io/DType.h"
#include "runtime/io/Result.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace chimera::io {

inline constexpr char npyMagic[] = "\x93NUMPY";
inline constexpr size_t npyMagicSize = 6;
/// The start of a file in which a header must end. NumPy itself reads headers of at most 10000 bytes.
inline constexpr size_t npyHeaderLimit = size_t(1) << 20;

struct NpyHeader {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  uint64_t start = 0; ///< The offset of element 0.
};

/// Reads the header from the first `count` bytes, all or `npyHeaderLimit`, of a file of `fileSize`. An error names no
/// file; readNpy says which there are.
Result<NpyHeader> readNpyHeader(const uint8_t *start, size_t count, uint64_t fileSize);

/// The name of a type in the header, "<i4"; null for one that arrays do not have.
const char *npyDescr(DType type);

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_NPYHEADER_H
