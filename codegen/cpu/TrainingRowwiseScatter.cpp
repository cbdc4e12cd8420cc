// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Reduce.h"
#include "codegen/cpu/TrainingRowwise.h"

using namespace mlir;

namespace chimera::cpu {

namespace {

/// A part of the batch's rows with a tensor of its own.
struct Piece {
  Rows rows;
  Buffer x;
};

} // namespace

/// One row of a scatter: the first piece that is there is written, the others are added. `next[i]` is the place in the
/// i-th piece's index of its next row; returns those after the row `id`.
static SmallVector<Val> scatterRow(KernelBuilder &k, const Isa &isa, int64_t width, ArrayRef<Piece> pieces,
                                   ArrayRef<Val> next, ArrayRef<Val> ends, Val id, const Buffer &to) {
  auto clear = [&] {
    forEachVector(k, width, isa.lanes,
                  [&](Val c, int64_t lanes) { to.storeVector(c, splat(k.real(0, Scalar::F32), lanes)); });
  };
  if (pieces.empty())
    clear();
  Val none = k.integer(0) < 0;
  SmallVector<Val> after;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Piece &piece = pieces[i];
    Val has = k.choose(next[i] < ends[i], [&] { return piece.rows.index.load(next[i]) == id; }, [&] { return none; });
    Buffer from = piece.x.at((next[i] - piece.rows.start.load(0)) * width);
    // From +0: -0 becomes +0, as in a sum.
    auto add = [&] {
      forEachVector(k, width, isa.lanes, [&](Val c, int64_t lanes) {
        Val sum = i == 0 ? splat(k.real(0, Scalar::F32), lanes) : to.loadVector(c, lanes);
        to.storeVector(c, sum + from.loadVector(c, lanes));
      });
    };
    i == 0 ? k.either(has, add, clear) : k.when(has, add);
    after.push_back(select(has, next[i] + 1, next[i]));
  }
  return after;
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const ScatterSpec &spec) {
  std::string symbol = symbolOf({"cpu_scatter", std::to_string(spec.width), std::to_string(spec.pieces)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32);
    SmallVector<Piece> pieces;
    for (int64_t i = 0; i < spec.pieces; ++i) {
      Rows rows = k.rows();
      pieces.push_back({rows, k.buffer(Elem::F32)});
    }
    Buffer out = k.buffer(Elem::F32);
    k.forEach(k.begin(), k.end(), [&](Val sequence) {
      Val base = start.load(0);
      auto begins = llvm::map_to_vector(pieces, [&](Piece &p) { return p.rows.start.load(sequence); });
      auto ends = llvm::map_to_vector(pieces, [&](Piece &p) { return p.rows.start.load(sequence + 1); });
      k.foldMany(start.load(sequence) - base, start.load(sequence + 1) - base, begins, [&](Val id, ArrayRef<Val> next) {
        return scatterRow(k, isa, spec.width, pieces, next, ends, id, out.at(id * spec.width));
      });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/1}};
}

} // namespace chimera::cpu
