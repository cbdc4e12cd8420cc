// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Math.h"
#include "codegen/cpu/Reduce.h"

using namespace mlir;

namespace chimera::cpu {

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const LtiScanSpec &spec) {
  int64_t size = spec.stateSize, blocks = channelBlocks(size);
  std::string symbol = symbolOf({"cpu_lti_scan", std::to_string(size), spec.weighted ? "weighted" : ""});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer u = k.buffer(Elem::F32), decays = k.buffer(Elem::F32);
    Buffer writes = spec.weighted ? k.buffer(Elem::F32) : Buffer();
    Buffer states = k.buffer(Elem::F32), out = k.buffer(Elem::F32);
    k.forEach(k.begin(), k.end(), [&](Val block) {
      Val sequence = block / blocks, origin = rows.start.load(0);
      Val first = rows.start.load(sequence) - origin, last = rows.start.load(sequence + 1) - origin;
      Buffer state = states.at(rows.slot.load(sequence) * size);
      forEachStrip(k, size, block % blocks, isa.lanes, 4, [&](Val n, int64_t lanes, int64_t vectors) {
        SmallVector<Val> factors, held;
        for (int64_t v = 0; v < vectors; ++v) {
          factors.push_back(sigmoid(decays.loadVector(n + v * lanes, lanes)));
          held.push_back(state.loadVector(n + v * lanes, lanes));
        }
        held = k.foldMany(first, last, held, [&](Val row, ArrayRef<Val> before) {
          SmallVector<Val> next;
          Val weight = spec.weighted ? splat(exp(writes.load(row)), lanes) : Val();
          for (int64_t v = 0; v < vectors; ++v) {
            Val at = row * size + n + v * lanes, input = u.loadVector(at, lanes);
            next.push_back(fma(factors[v], before[v], spec.weighted ? input * weight : input));
            out.storeVector(at, next.back());
          }
          return next;
        });
        for (int64_t v = 0; v < vectors; ++v)
          state.storeVector(n + v * lanes, held[v]);
      });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/blocks}};
}

} // namespace chimera::cpu
