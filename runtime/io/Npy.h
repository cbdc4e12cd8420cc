// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arrays in NumPy's .npy format, versions 1 to 3: a magic string, a version, a
// header length and a Python dict literal with the keys descr, fortran_order
// and shape, then the elements.
#ifndef CHIMERA_RUNTIME_IO_NPY_H
#define CHIMERA_RUNTIME_IO_NPY_H

#include "runtime/io/AtomicFile.h"
#include "runtime/io/DType.h"
#include "runtime/io/Result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chimera::io {

/// A row-major array of i8, i32, i64, f32 or f64.
struct NpyArray {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::vector<uint8_t> data; ///< The product of the shape times the element size.

  /// Element `index` of an i8, i32 or i64 array.
  int64_t integer(int64_t index) const;
};

/// Reads a file. Errors: not .npy, a version above 3, a dtype other than the
/// five (little endian) above, Fortran order, a shape whose size overflows, a
/// length of file that does not match.
Result<NpyArray> readNpy(const std::string &path);

/// As `readNpy`, of bytes in memory; an error names no file.
Result<NpyArray> parseNpy(const uint8_t *data, size_t size);

/// Writes the elements at `data`, replacing `path` at once when all is written.
Status writeNpy(const std::string &path, DType dtype, const std::vector<int64_t> &shape, const void *data);

/// An array that is written in parts, for results that need not fit in memory.
/// What is not written is 0. Move-only; without `commit` nothing is left.
class NpyWriter {
public:
  /// Starts an array of i8, i32, i64, f32 or f64.
  static Result<NpyWriter> create(const std::string &path, DType dtype, const std::vector<int64_t> &shape);

  /// Writes `count` elements from row-major index `first` on.
  Status write(int64_t first, const void *data, int64_t count);

  /// Completes the file.
  Status commit();

private:
  NpyWriter(AtomicFile file, DType dtype) : file(std::move(file)), dtype(dtype) {}

  AtomicFile file;
  DType dtype;
  uint64_t start = 0; ///< The offset of element 0.
};

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_NPY_H
