// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Math.h"
#include "codegen/cpu/TrainingRowwise.h"
#include "codegen/cpu/TrainingRowwiseLoops.h"

using namespace mlir;

namespace chimera::cpu {

/// A kernel that maps each element of its inputs to one of each output, all f32.
static Kernel map(ModuleOp kernels, const Isa &isa, StringRef name, int64_t width, size_t inputs, size_t outputs,
                  function_ref<SmallVector<Val>(ArrayRef<Val>)> formula) {
  std::string symbol = symbolOf({"cpu", name.str(), std::to_string(width)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32);
    SmallVector<Buffer> operands, results;
    for (size_t i = 0; i < inputs + outputs; ++i)
      (i < inputs ? operands : results).push_back(k.buffer(Elem::F32));
    forEachElement(k, start, width, isa.lanes, [&](Val i, int64_t lanes) {
      auto values = llvm::map_to_vector(operands, [&](Buffer &b) { return b.loadVector(i, lanes); });
      for (auto [to, value] : llvm::zip_equal(results, formula(values)))
        to.storeVector(i, value);
    });
  });
  return {symbol, Grid{/*tokens=*/1}};
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const ActivateSpec &spec) {
  return map(kernels, isa, nameOf(spec.activation), spec.width, 1, 1,
             [&](ArrayRef<Val> x) { return SmallVector<Val>{activate(spec.activation, x[0])}; });
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const GluSpec &spec) {
  return map(kernels, isa, "glu_" + nameOf(spec.activation), spec.width, 2, 1,
             [&](ArrayRef<Val> x) { return SmallVector<Val>{activate(spec.activation, x[0]) * x[1]}; });
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const ActivateGradSpec &spec) {
  return map(kernels, isa, nameOf(spec.activation) + "_grad", spec.width, 2, 1,
             [&](ArrayRef<Val> x) { return SmallVector<Val>{x[1] * activationParts(spec.activation, x[0]).slope}; });
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const GluGradSpec &spec) {
  return map(kernels, isa, "glu_" + nameOf(spec.activation) + "_grad", spec.width, 3, 2, [&](ArrayRef<Val> x) {
    Val gate = x[0], up = x[1], dy = x[2];
    ActivationParts parts = activationParts(spec.activation, gate);
    return SmallVector<Val>{dy * up * parts.slope, dy * parts.value};
  });
}

} // namespace chimera::cpu
