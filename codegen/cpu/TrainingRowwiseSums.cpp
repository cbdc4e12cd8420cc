// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Reduce.h"
#include "codegen/cpu/TrainingRowwise.h"
#include "codegen/ref/TrainingKernels.h"

using namespace mlir;

namespace chimera::cpu {

int64_t columnSumBlock(int64_t width) {
  return width >= 512 ? 64 : width >= 128 ? 32 : 16;
}

namespace {

/// One column sum under construction.
struct ColumnSum {
  KernelBuilder &k;
  const ColumnSumSpec &spec;
  Buffer leaves, start, x, out, sums; // `sums`: of each leaf, `block` columns
  int64_t block;

  /// Sums `vectors` vectors of `lanes` columns from `column` on.
  void sum(Val column, int64_t lanes, int64_t vectors) const {
    Val count = leaves.load(0);
    k.forEach(k.integer(0), count, [&](Val leaf) {
      SmallVector<Val> total = sumLeaf(leaf, column, lanes, vectors);
      for (int64_t v = 0; v < vectors; ++v)
        sums.storeVector(leaf * block + v * lanes, total[v]);
    });
    addPairwise(count, lanes, vectors);
    for (int64_t v = 0; v < vectors; ++v)
      out.storeVector(column + v * lanes, sums.loadVector(k.integer(v * lanes), lanes));
  }

private:
  SmallVector<Val> sumLeaf(Val leaf, Val column, int64_t lanes, int64_t vectors) const {
    Type type = k.floatType(spec.out);
    Val base = start.load(0);
    Val first = start.load(leaves.load(leaf + 1)) - base, last = start.load(leaves.load(leaf + 2)) - base;
    SmallVector<Val> zeros(vectors, splat(k.real(0, type), lanes));
    return k.foldMany(first, last, zeros, [&](Val row, ArrayRef<Val> carried) {
      SmallVector<Val> next;
      for (int64_t v = 0; v < vectors; ++v)
        next.push_back(carried[v] + toFloat(x.loadVector(row * spec.width + column + v * lanes, lanes), type));
      return next;
    });
  }

  /// Adds neighbouring leaves, again and again; the sum of all ends in the first.
  void addPairwise(Val count, int64_t lanes, int64_t vectors) const {
    for (int64_t most = ir::maxLeaves; most > 1; most /= 2) {
      count = count / 2;
      k.forEach(k.integer(0), count, [&](Val i) {
        for (int64_t v = 0; v < vectors; ++v) {
          Val left = sums.loadVector(i * (2 * block) + v * lanes, lanes);
          Val right = sums.loadVector((i * 2 + 1) * block + v * lanes, lanes);
          sums.storeVector(i * block + v * lanes, left + right);
        }
      });
    }
  }
};

} // namespace

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const ColumnSumSpec &spec) {
  std::string symbol = symbolOf({"cpu_column_sum", nameOf(spec.in), nameOf(spec.out), std::to_string(spec.width)});
  int64_t block = columnSumBlock(spec.width), whole = spec.width / block, rest = spec.width % block;
  int64_t lanes = spec.out == Scalar::F64 ? isa.lanes / 2 : isa.lanes;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer leaves = k.buffer(Elem::I32), start = k.buffer(Elem::I32), x = k.buffer(spec.in), out = k.buffer(spec.out);
    ColumnSum sum{k, spec, leaves, start, x, out, k.scratch(elemOf(spec.out), ir::maxLeaves * block), block};
    k.forEach(k.begin(), min(k.end(), k.integer(whole)), [&](Val b) { sum.sum(b * block, lanes, block / lanes); });
    if (rest > 0)
      k.when(k.integer(whole) < k.end(), [&] {
        forEachVector(k, rest, lanes, [&](Val i, int64_t narrow) { sum.sum(i + whole * block, narrow, 1); });
      });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/whole + (rest > 0 ? 1 : 0)}};
}

} // namespace chimera::cpu
