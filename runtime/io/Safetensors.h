// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading and writing checkpoints in the safetensors format: an 8-byte little
// endian header length, a JSON header naming each tensor's dtype, shape and
// byte range, then the tensors' bytes.
#ifndef CHIMERA_RUNTIME_IO_SAFETENSORS_H
#define CHIMERA_RUNTIME_IO_SAFETENSORS_H

#include "runtime/io/DType.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/Result.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace chimera::io {

/// A tensor whose bytes somebody else owns: row-major, little endian, any
/// alignment.
struct TensorView {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape; ///< Each >= 0; empty for a scalar.
  const uint8_t *data = nullptr;
  uint64_t bytes = 0; ///< The product of the shape times the element size.

  /// The product of the shape.
  int64_t elements() const { return int64_t(bytes) / sizeOf(dtype); }
};

/// "[2, 3]".
std::string shapeText(const std::vector<int64_t> &shape);

/// The tensors of a checkpoint, mapped for reading. Move-only; views stay valid
/// while the checkpoint lives.
class Checkpoint {
public:
  /// Opens a checkpoint: a safetensors file; a `*.json` index whose
  /// "weight_map" names the shard (a file beside it) of each tensor; or a
  /// directory that holds `model.safetensors` or
  /// `model.safetensors.index.json`. Every header is checked in full: its
  /// length, each dtype, shape and byte range; the ranges cover the data
  /// without gap or overlap.
  static Result<Checkpoint> open(const std::string &path);

  /// The tensor of that name, or null.
  const TensorView *find(const std::string &name) const;

  /// All tensors by name.
  const std::map<std::string, TensorView> &tensors() const { return byName; }

  /// The "__metadata__" strings of all files, the first of a key.
  const std::map<std::string, std::string> &metadata() const { return meta; }

  /// The path that was opened, for messages.
  const std::string &path() const { return name; }

private:
  Checkpoint() = default;

  std::string name;
  std::vector<MappedFile> files;
  std::map<std::string, TensorView> byName;
  std::map<std::string, std::string> meta;
};

/// Converts all of `tensor` into `out`, which holds `tensor.elements()`
/// elements of `to` (f64, f32 or bf16), rounding to nearest even, f64 to bf16
/// in one rounding. Fails when the tensor is not f64, f32, f16 or bf16.
Status convert(const TensorView &tensor, DType to, void *out);

/// Writes the tensors as one safetensors file, replacing `path` at once when
/// all is written. Names are unique; `bytes` agrees with shape and dtype. The
/// file depends on the tensors and the metadata only, not on their order.
Status writeSafetensors(const std::string &path, const std::vector<TensorView> &tensors,
                        const std::map<std::string, std::string> &metadata = {});

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_SAFETENSORS_H
