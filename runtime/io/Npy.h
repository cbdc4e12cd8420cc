// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arrays in NumPy's .npy format, versions 1 to 3: a magic string, a version, a
// header length and a Python dict literal with the keys descr, fortran_order
// and shape, then the elements.
#ifndef CHIMERA_RUNTIME_IO_NPY_H
#define CHIMERA_RUNTIME_IO_NPY_H

#include "runtime/io/AtomicFile.h"
#include "runtime/io/DType.h"
#include "runtime/io/File.h"
#include "runtime/io/Result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chimera::io {

/// A row-major array of whole numbers of 8 to 64 bits, f32 or f64.
struct NpyArray {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::vector<uint8_t> data; ///< The product of the shape times the element size.

  /// Element `index` of an array of whole numbers; those of 2^63 and more as 2^63 - 1.
  int64_t integer(int64_t index) const;
};

/// An array in a file, of which the header was read.
struct NpyFile {
  File file;
  DType dtype;
  std::vector<int64_t> shape;
  uint64_t start; ///< The offset of element 0.

  /// The product of the shape.
  int64_t elements() const;
  /// Reads `count` elements from row-major index `first` on, in the file's dtype.
  Status read(int64_t first, int64_t count, void *to) const;
};

/// Opens a file. Errors: not .npy (and what it is instead), a version above 3, a dtype other than those above, big
/// endian, Fortran order, a shape whose size overflows, a length of file that does not match.
Result<NpyFile> openNpy(const std::string &path);
/// Reads all of it.
Result<NpyArray> readNpy(const std::string &path);
/// As `readNpy`, of bytes in memory; an error names no file.
Result<NpyArray> parseNpy(const uint8_t *data, size_t size);

/// The same; an array of other than whole numbers is an error: for token ids, lengths and other counts.
Result<NpyFile> openIntegers(const std::string &path);
Result<NpyArray> readIntegers(const std::string &path);

/// Element `index` of whole numbers in memory (any alignment); those of 2^63 and more as 2^63 - 1.
int64_t integerAt(DType dtype, const void *data, int64_t index);

/// Writes the elements at `data`, replacing `path` at once when all is written.
Status writeNpy(const std::string &path, DType dtype, const std::vector<int64_t> &shape, const void *data);

/// An array that is written in parts, for results that need not fit in memory.
/// What is not written is 0. Move-only; without `commit` nothing is left.
class NpyWriter {
public:
  /// Starts an array of a type that `NpyArray` may have.
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
