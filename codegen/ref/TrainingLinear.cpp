// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/TrainingKernels.h"
#include "codegen/ref/TrainingSupport.h"

#include <algorithm>

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

/// Columns of one block of a product.
static constexpr int64_t blockColumns = 64;
/// Columns of a gradient that are summed at once where a block has a whole row of it.
static constexpr int64_t stripColumns = 1024;

static int64_t blocksOf(int64_t columns) {
  return (columns + blockColumns - 1) / blockColumns;
}

Kernel getOrEmit(ModuleOp kernels, const LinearInputGradSpec &spec) {
  std::string symbol = symbolOf({"linear_input_grad", nameOf(spec.operand), nameOf(spec.type),
                                 std::to_string(spec.inputs) + "x" + std::to_string(spec.outputs)});
  int64_t blocks = blocksOf(spec.inputs);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), dy = k.buffer(spec.operand), w = k.buffer(spec.operand);
    Buffer dx = k.buffer(spec.type), sums = k.scratch(elemOf(spec.type), blockColumns);
    k.forEach(k.begin(), min(k.end(), k.rowCount(start) * blocks), [&](Val block) {
      Val row = block / blocks, first = block % blocks * blockColumns;
      Val width = min(k.integer(spec.inputs) - first, k.integer(blockColumns)), none = k.integer(0);
      fillZero(k, sums, none, width, spec.type);
      k.forEach(0, spec.outputs, [&](Val n) {
        Val factor = dy.load(row * spec.outputs + n);
        Buffer weights = w.at(n * spec.inputs + first);
        k.forEach(none, width, [&](Val c) { sums.store(c, fma(factor, weights.load(c), sums.load(c))); });
      });
      Buffer to = dx.at(row * spec.inputs + first);
      k.forEach(none, width, [&](Val c) { to.store(c, sums.load(c)); });
    });
  });
  return {symbol, Grid{/*tokens=*/blocks}};
}

Kernel getOrEmit(ModuleOp kernels, const LinearWeightGradSpec &spec) {
  std::string symbol = symbolOf({"linear_weight_grad", nameOf(spec.operand), nameOf(spec.type),
                                 std::to_string(spec.inputs) + "x" + std::to_string(spec.outputs)});
  int64_t blocks = blocksOf(spec.inputs);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer leaves = k.buffer(Elem::I32), start = k.buffer(Elem::I32), dy = k.buffer(spec.operand);
    Buffer x = k.buffer(spec.operand), dw = k.buffer(spec.type);
    k.forEach(k.begin(), k.end(), [&](Val block) {
      Val n = block / blocks, first = block % blocks * blockColumns, none = k.integer(0);
      Val width = min(k.integer(spec.inputs) - first, k.integer(blockColumns));
      Buffer total = sumOverLeaves(k, leaves, spec.type, blockColumns, width, [&](Val sequence, const Buffer &sums) {
        forEachRowOf(k, start, sequence, [&](Val row) {
          Val factor = dy.load(row * spec.outputs + n);
          Buffer in = x.at(row * spec.inputs + first);
          k.forEach(none, width, [&](Val c) { sums.store(c, fma(factor, in.load(c), sums.load(c))); });
        });
      });
      Buffer to = dw.at(n * spec.inputs + first);
      k.forEach(none, width, [&](Val c) { to.store(c, total.load(c)); });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/spec.outputs * blocks}};
}

Kernel getOrEmit(ModuleOp kernels, const EmbedGradSpec &spec) {
  std::string symbol =
      symbolOf({"embed_grad", nameOf(spec.type), std::to_string(spec.vocab) + "x" + std::to_string(spec.width)});
  int64_t most = std::min(spec.width, stripColumns);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer leaves = k.buffer(Elem::I32), start = k.buffer(Elem::I32), tokens = k.buffer(Elem::I32);
    Buffer dx = k.buffer(spec.type), dtable = k.buffer(spec.type);
    k.forEach(k.begin(), k.end(), [&](Val token) {
      k.forEach(
          k.integer(0), k.integer(spec.width),
          [&](Val first) {
            Val width = min(k.integer(spec.width) - first, k.integer(most)), none = k.integer(0);
            Buffer total = sumOverLeaves(k, leaves, spec.type, most, width, [&](Val sequence, const Buffer &sums) {
              forEachRowOf(k, start, sequence, [&](Val row) {
                k.when(tokens.load(row) == token, [&] {
                  Buffer in = dx.at(row * spec.width + first);
                  k.forEach(none, width, [&](Val c) { sums.store(c, sums.load(c) + in.load(c)); });
                });
              });
            });
            Buffer to = dtable.at(token * spec.width + first);
            k.forEach(none, width, [&](Val c) { to.store(c, total.load(c)); });
          },
          most);
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/spec.vocab}};
}

} // namespace chimera::ref
