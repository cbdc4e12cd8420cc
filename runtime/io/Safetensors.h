// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading and writing checkpoints in the safetensors format: an 8-byte little
// endian header length, a JSON header naming each tensor's dtype, shape and
// byte range, then the tensors' bytes.
#ifndef CHIMERA_RUNTIME_IO_SAFETENSORS_H
#define CHIMERA_RUNTIME_IO_SAFETENSORS_H

#include "runtime/io/AtomicFile.h"
#include "runtime/io/DType.h"
#include "runtime/io/File.h"
#include "runtime/io/Result.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace chimera::io {

/// "[2, 3]".
std::string shapeText(const std::vector<int64_t> &shape);

/// A tensor to be written, whose bytes somebody else owns: row-major, little endian, any alignment.
struct TensorView {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape; ///< Each >= 0; empty for a scalar.
  const uint8_t *data = nullptr;
  uint64_t bytes = 0; ///< The product of the shape times the element size.
};

/// A tensor in a file of a checkpoint: row-major, little endian.
struct StoredTensor {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape; ///< Each >= 0; empty for a scalar.
  const File *file = nullptr;
  uint64_t offset = 0; ///< In the file.
  uint64_t bytes = 0;  ///< The product of the shape times the element size.

  /// The product of the shape.
  int64_t elements() const { return int64_t(bytes) / sizeOf(dtype); }
  /// Reads `count` elements from row-major index `first` on, in the file's dtype. Any number of threads may.
  Status read(int64_t first, int64_t count, void *to) const;
  /// The same, converted to `type` (f64, f32 or bf16), rounding to nearest even, f64 to bf16 in one rounding; the
  /// tensor is f64, f32, f16 or bf16. Takes little memory besides `to`.
  Status convert(int64_t first, int64_t count, DType type, void *to) const;
};

/// The tensors of a checkpoint. Move-only; tensors are valid while the checkpoint lives.
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
  const StoredTensor *find(const std::string &name) const;

  /// All tensors by name.
  const std::map<std::string, StoredTensor> &tensors() const { return byName; }

  /// The "__metadata__" strings of all files, the first of a key.
  const std::map<std::string, std::string> &metadata() const { return meta; }

  /// The path that was opened, for messages.
  const std::string &path() const { return name; }

  /// Fails if somebody wrote to a file since the checkpoint was opened: what was read since may be of both.
  Status unchanged() const;

private:
  Checkpoint() = default;
  Status addFile(const std::string &path, const std::set<std::string> *wanted);

  std::string name;
  std::vector<std::unique_ptr<File>> files;
  std::map<std::string, StoredTensor> byName;
  std::map<std::string, std::string> meta;
};

/// Writes a safetensors file in pieces, replacing `path` at once when all is written. Move-only.
class SafetensorsWriter {
public:
  /// Writes the header. Names are unique; `bytes` agrees with shape and dtype; `data` may be null. The file depends on
  /// the tensors and the metadata only, not on their order.
  static Result<SafetensorsWriter> create(const std::string &path, const std::vector<TensorView> &tensors,
                                          const std::map<std::string, std::string> &metadata = {});

  /// Writes `size` bytes of the tensor at this index of what was given, from its byte `offset` on. Any number of
  /// threads may. Bytes that are never written are 0.
  Status write(size_t tensor, uint64_t offset, const void *data, size_t size);

  /// Flushes to the disk and gives the file its name. Without this there will be none.
  Status commit() { return file.commit(); }

private:
  SafetensorsWriter(AtomicFile file, std::vector<uint64_t> offsets)
      : file(std::move(file)), offsets(std::move(offsets)) {}

  AtomicFile file;
  std::vector<uint64_t> offsets; ///< Of each tensor, in the file.
};

/// Writes the tensors, with their data, as one safetensors file, likewise.
Status writeSafetensors(const std::string &path, const std::vector<TensorView> &tensors,
                        const std::map<std::string, std::string> &metadata = {});

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_SAFETENSORS_H
