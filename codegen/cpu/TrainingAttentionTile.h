// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the kernels of attention in training are made of: tiles of rows side by side in vector lanes, and the products
// of a tile with a block of other rows. A tile of X [rows][headSize] is held turned, [headSize][width] with a row a
// lane; sums by a tile likewise.
#ifndef CHIMERA_CODEGEN_CPU_TRAININGATTENTIONTILE_H
#define CHIMERA_CODEGEN_CPU_TRAININGATTENTIONTILE_H

#include "codegen/cpu/Isa.h"
#include "codegen/kernel/KernelBuilder.h"

#include <optional>

namespace chimera::cpu {

using namespace kernel;

/// One head's columns of neighbouring rows: row i starts at element i * stride.
struct HeadRows {
  Buffer start;
  Val stride;

  HeadRows from(Val row) const { return {start.at(row * stride), stride}; }
};

/// lanes x lanes elements, a row a vector, turned: 4 steps of shuffles for 16 lanes.
llvm::SmallVector<Val> transposed(llvm::ArrayRef<Val> rows);

/// Builds the parts of a kernel whose tiles have `vectors` vectors of `lanes` rows.
class AttentionTiles {
public:
  AttentionTiles(KernelBuilder &k, const Isa &isa, int64_t headSize)
      : k(k), lanes(isa.lanes), headSize(headSize), numbers(k.scratch(Elem::I32, width())) {
    k.forEach(0, width(), [&](Val i) { numbers.store(i, i); });
  }

  /// Room for a turned tile.
  Buffer newTile() const { return k.scratch(Elem::F32, headSize * width()); }
  /// Room for an f32 or an i32 a row, or a row of them for each row of a block.
  Buffer newVector(Elem elem = Elem::F32) const { return k.scratch(elem, width()); }
  int64_t width() const { return vectors * lanes; }

  /// Loads the first `live` (at least 1) rows of a tile, of `type`, turned; the lanes after them repeat the last.
  void load(const HeadRows &rows, Val live, const Buffer &tile, Scalar type) const;
  /// Stores the first `live` rows of a turned tile.
  void store(const Buffer &tile, const HeadRows &rows, Val live) const;
  void clear(const Buffer &tile) const;

  /// out[j][i] = rows[j] . tile[i] for j < count, rounded up to whole groups; d ascending from +0. Rows from `count`
  /// on repeat the last.
  void dots(const HeadRows &rows, Val count, const Buffer &tile, const Buffer &out) const;

  /// Which lanes of vector v row j of a block counts for; nothing: all.
  using Mask = std::optional<llvm::function_ref<Val(Val j, int64_t v)>>;
  /// sums[i] = scale[i] sums[i] + sum over j < count of weights[j][i] rows[j], by fma, j ascending; without `scale` no
  /// product. Masked lanes of a j are as if it were not there.
  void accumulate(const Buffer &weights, const HeadRows &rows, Val count, const Buffer &sums, Mask mask,
                  const Buffer *scale = nullptr) const;

  /// Calls `body` with the vectors of turned tiles: places of a vector v at every dimension.
  void forEachVector(llvm::function_ref<void(Val place, int64_t v)> body) const;

  Val vector(const Buffer &buffer, int64_t v) const { return buffer.loadVector(k.integer(v * lanes), lanes); }
  Val vectorAt(const Buffer &buffer, Val row, int64_t v) const {
    return buffer.loadVector(row * width() + v * lanes, lanes);
  }
  void setVector(const Buffer &buffer, int64_t v, Val value) const { buffer.storeVector(k.integer(v * lanes), value); }
  void setVectorAt(const Buffer &buffer, Val row, int64_t v, Val value) const {
    buffer.storeVector(row * width() + v * lanes, value);
  }
  /// The i32 in every lane.
  Val splatInt(Val integer) const { return splat(truncate(integer, k.ops.getI32Type()), lanes); }
  Val splatReal(double value) const { return k.real(value, k.vectorType(k.f32Type(), lanes)); }
  /// The lanes' own numbers, of vector v.
  Val laneNumbers(int64_t v) const { return vector(numbers, v); }

  KernelBuilder &k;
  int64_t lanes, headSize;
  static constexpr int64_t vectors = 2;

private:
  /// Rows (of `dots`) or dimensions (of `accumulate`) that are taken at a time.
  int64_t group() const { return lanes == 16 ? 8 : 4; }
  void accumulateGroup(const Buffer &weights, const HeadRows &rows, Val count, const Buffer &sums, Mask mask,
                       const Buffer *scale, Val first, int64_t size) const;

  Buffer numbers; // 0, 1, ...
};

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_TRAININGATTENTIONTILE_H
