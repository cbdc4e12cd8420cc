// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/kernel/KernelBuilder.h"
#include "codegen/ref/Kernels.h"

using namespace mlir;

namespace chimera::ref {

static constexpr int64_t blockColumns = 64;
/// Columns whose sums advance side by side. Each keeps its own order; together they hide the latency of fma.
static constexpr int64_t sideBySide = 8;

/// y[n .. n+count-1] of one row.
static void emitColumns(KernelBuilder &k, const LinearSpec &spec, const Buffer &x, const Buffer &w, const Buffer &y,
                        Val n, int64_t count) {
  SmallVector<Buffer> weights;
  for (int64_t i = 0; i < count; ++i)
    weights.push_back(w.at((n + i) * spec.inputs));
  SmallVector<Val> zeros(count, k.real(0, spec.out));
  SmallVector<Val> sums = k.foldMany(k.integer(0), k.integer(spec.inputs), zeros, [&](Val c, ArrayRef<Val> carried) {
    Val factor = x.load(c);
    SmallVector<Val> next;
    for (int64_t i = 0; i < count; ++i)
      next.push_back(fma(factor, weights[i].load(c), carried[i]));
    return next;
  });
  for (int64_t i = 0; i < count; ++i)
    y.store(n + i, sums[i]);
}

Kernel getOrEmit(ModuleOp kernels, const LinearSpec &spec) {
  std::string symbol = symbolOf({"linear", nameOf(spec.in), nameOf(spec.weight), nameOf(spec.out),
                                 std::to_string(spec.inputs) + "x" + std::to_string(spec.outputs)});
  int64_t blocks = (spec.outputs + blockColumns - 1) / blockColumns;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), x = k.buffer(spec.in), w = k.buffer(spec.weight), y = k.buffer(spec.out);
    k.forEach(k.begin(), min(k.end(), k.rowCount(start) * blocks), [&](Val block) {
      Val row = block / blocks, first = block % blocks * blockColumns;
      Val last = min(first + blockColumns, k.integer(spec.outputs));
      Buffer from = x.at(row * spec.inputs), to = y.at(row * spec.outputs);
      Val whole = first + (last - first) / sideBySide * sideBySide;
      k.forEach(first, whole, [&](Val n) { emitColumns(k, spec, from, w, to, n, sideBySide); }, sideBySide);
      k.forEach(whole, last, [&](Val n) { emitColumns(k, spec, from, w, to, n, 1); });
    });
  });
  return {symbol, Grid{/*tokens=*/blocks}};
}

} // namespace chimera::ref
