// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-cpu/MathCase.h"

#include <algorithm>
#include <cmath>

namespace chimera::cpu::test {

namespace {

/// out[i] = f(x[i]) for a multiple of `lanes` numbers, by vectors.
struct ElementwiseSpec {
  std::string name;
  Val (*function)(Val);
  int64_t count, lanes;
};

Kernel getOrEmit(mlir::ModuleOp module, const Isa &, const ElementwiseSpec &spec) {
  std::string symbol = "test_" + spec.name + std::to_string(spec.lanes) + "_" + std::to_string(spec.count);
  emitKernel(module, symbol, [&](KernelBuilder &k) {
    Buffer x = k.buffer(Elem::F32), out = k.buffer(Elem::F32);
    k.forEach(
        k.integer(0), k.integer(spec.count),
        [&](Val i) { out.storeVector(i, spec.function(x.loadVector(i, spec.lanes))); }, spec.lanes);
  });
  return {symbol, Grid{0, 0, 0, 1}};
}

} // namespace

std::vector<float> apply(const Isa &isa, const std::string &name, Val (*function)(Val), std::vector<float> x) {
  x.resize((x.size() + 15) / 16 * 16);
  Launch launch;
  launch.add(x);
  size_t out = launch.add(std::vector<float>(x.size()));
  runKernel(isa, ElementwiseSpec{name, function, static_cast<int64_t>(x.size()), isa.lanes}, launch, {});
  return launch.get<float>(out);
}

std::vector<float> range(float low, float high, int count) {
  std::vector<float> x;
  for (int i = 0; i < count; ++i)
    x.push_back(low + (high - low) * static_cast<float>(i) / static_cast<float>(count - 1));
  return x;
}

double ulps(float value, double exact) {
  return std::abs(value - exact) / std::ldexp(1.0, std::max(std::ilogb(exact), -126) - 23);
}

} // namespace chimera::cpu::test
