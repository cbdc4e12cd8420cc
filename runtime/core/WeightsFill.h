// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The work of filling a model's weights from a checkpoint, in pieces that several threads take.
#ifndef CHIMERA_RUNTIME_CORE_WEIGHTSFILL_H
#define CHIMERA_RUNTIME_CORE_WEIGHTSFILL_H

#include "runtime/core/Manifest.h"
#include "runtime/core/ModelFile.h"
#include "runtime/core/Packing.h"

#include <memory>
#include <vector>

namespace chimera::io {
class Checkpoint;
struct StoredTensor;
} // namespace chimera::io

namespace chimera::runtime {

/// Whether the checkpoint has what the parameter needs: its tensor, unless it is optional, with its shape and a
/// floating-point dtype. The error names the file, the tensor, and what was expected and found.
Failure checkTensor(const io::Checkpoint &checkpoint, const Parameter &parameter);

/// Conversions to be done. The checkpoint has every parameter with its source shape in a floating-point dtype, or lacks
/// it: then it is zeros. Memory to fill is zero.
class WeightsFill {
public:
  /// Both arguments must outlive the object.
  WeightsFill(const std::vector<Parameter> &parameters, const io::Checkpoint &checkpoint)
      : parameters(parameters), checkpoint(checkpoint) {}

  /// The parameter's rows in its dtype.
  void addRowMajor(size_t parameter, uint8_t *to);
  /// `packed` must outlive the object.
  void addPacked(const PackedWeights &packed, uint8_t *to);

  /// Does it all, on this many threads; 0: as many as the process may use CPUs. The error is that of the first piece
  /// which has one: a file that cannot be read, or a weight that its format cannot hold, by tensor and element.
  Failure run(int64_t threads = 0);

  /// After run(): a digest of `prefix` and of all that was filled in, in the order of the additions. It depends on
  /// their values alone: not on threads, nor on the files or the dtypes that they came from.
  Digest digest(const std::vector<uint8_t> &prefix) const;

private:
  /// A part of one addition: its rows or panels begin .. end-1.
  struct Piece {
    const io::StoredTensor *tensor = nullptr; ///< Row-major only; null: zeros.
    size_t parameter = 0;
    const PackedWeights *packed = nullptr;
    std::shared_ptr<const Packer> packer;
    int64_t begin = 0, end = 0;
    int64_t bytesEach = 0; ///< Of a row or panel.
    uint8_t *to = nullptr; ///< Of the whole addition.
  };

  void cut(Piece whole, int64_t count, int64_t bytesEach);
  Failure fill(const Piece &piece, std::vector<uint8_t> &scratch) const;
  Failure fillRows(const Piece &piece) const;
  Failure fillPanels(const Piece &piece, std::vector<uint8_t> &scratch) const;
  Error errorAt(const Piece &piece, const BadElement &bad) const;

  const std::vector<Parameter> &parameters;
  const io::Checkpoint &checkpoint;
  std::vector<Piece> pieces;
  std::vector<Digest> digests; ///< Of what each piece filled in, taken while it is in the cache.
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_WEIGHTSFILL_H
