// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Math.h"
#include "codegen/cpu/Reduce.h"

using namespace mlir;

namespace chimera::cpu {

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const GatedNormSpec &spec) {
  int64_t width = spec.width, size = width / spec.groups;
  std::string symbol = symbolOf({"cpu_gated_norm", std::to_string(width), "groups" + std::to_string(spec.groups),
                                 "eps" + nameOf(spec.eps), viewName(spec.z, width), nameOf(spec.out)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), y = k.buffer(Elem::F32), z = k.buffer(Elem::F32), w = k.buffer(Elem::F32);
    Buffer out = k.buffer(spec.out), gated = k.scratch(Elem::F32, size);
    forEachRow(k, start, [&](Val row) {
      Buffer gates = rowOf(z, spec.z, width, row);
      k.forEach(0, spec.groups, [&](Val group) {
        Val first = group * size, from = row * width + first;
        forEachVector(k, size, isa.lanes, [&](Val i, int64_t lanes) {
          gated.storeVector(i, y.loadVector(from + i, lanes) * silu(gates.loadVector(first + i, lanes)));
        });
        Val sum = sumInLanes(k, gated, size, [](Val u, Val sums) { return fma(u, u, sums); });
        Val root = rootMean(sum, size, spec.eps);
        forEachVector(k, size, isa.lanes, [&](Val i, int64_t lanes) {
          Val scaled = gated.loadVector(i, lanes) / splat(root, lanes);
          out.storeVector(from + i, scaled * w.loadVector(first + i, lanes));
        });
      });
    });
  });
  return {symbol, Grid{/*tokens=*/1}};
}

} // namespace chimera::cpu
