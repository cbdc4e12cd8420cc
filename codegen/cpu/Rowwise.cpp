// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Reduce.h"

#include <optional>

using namespace mlir;

namespace chimera::cpu {

namespace {

/// The outputs of a norm: f32, bf16 or both.
struct NormOutputs {
  std::optional<Buffer> exact, rounded;

  NormOutputs(KernelBuilder &k, const NormSpec &spec) {
    if (spec.exact)
      exact = k.buffer(Elem::F32);
    if (spec.rounded)
      rounded = k.buffer(Elem::BF16);
  }

  void store(Val index, Val vector) const {
    for (const std::optional<Buffer> &out : {exact, rounded})
      if (out)
        out->storeVector(index, vector);
  }
};

} // namespace

static void emitRMSNorm(KernelBuilder &k, const Isa &isa, const NormSpec &spec) {
  Buffer start = k.buffer(Elem::I32), x = k.buffer(Elem::F32), w = k.buffer(Elem::F32);
  NormOutputs out(k, spec);
  int64_t size = spec.width / spec.groups;
  auto normalise = [&](Val first) {
    Buffer in = x.at(first);
    Val root = rootMean(sumInLanes(k, in, size, [](Val v, Val sums) { return fma(v, v, sums); }), size, spec.eps);
    forEachVector(k, size, isa.lanes, [&](Val i, int64_t lanes) {
      Val weight = unitOffset(w.loadVector(i, lanes), spec.unitOffset);
      out.store(first + i, in.loadVector(i, lanes) / splat(root, lanes) * weight);
    });
  };
  forEachRow(k, start, [&](Val row) { forEachGroup(k, row * spec.width, spec.groups, size, normalise); });
}

static void emitLayerNorm(KernelBuilder &k, const Isa &isa, const NormSpec &spec) {
  Buffer start = k.buffer(Elem::I32), x = k.buffer(Elem::F32), w = k.buffer(Elem::F32), b = k.buffer(Elem::F32);
  NormOutputs out(k, spec);
  forEachRow(k, start, [&](Val row) {
    Val first = row * spec.width;
    Buffer in = x.at(first);
    Val sum = sumInLanes(k, in, spec.width, [](Val v, Val sums) { return sums + v; });
    Val mean = sum / k.real(static_cast<double>(spec.width), Scalar::F32);
    Val squares = sumInLanes(k, in, spec.width, [&](Val v, Val sums) {
      Val d = v - splat(mean, lanesOf(v));
      return fma(d, d, sums);
    });
    Val root = rootMean(squares, spec.width, spec.eps);
    forEachVector(k, spec.width, isa.lanes, [&](Val i, int64_t lanes) {
      Val scaled = (in.loadVector(i, lanes) - splat(mean, lanes)) / splat(root, lanes);
      out.store(first + i, scaled * w.loadVector(i, lanes) + b.loadVector(i, lanes));
    });
  });
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const NormSpec &spec) {
  bool rms = spec.kind == NormKind::RMS;
  std::string symbol = symbolOf({"cpu_norm", rms ? "rms" : "layer", std::to_string(spec.width),
                                 "eps" + nameOf(spec.eps), spec.exact ? "f32" : "", spec.rounded ? "bf16" : "",
                                 groupsName(spec.groups), spec.unitOffset ? "offset" : ""});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) { rms ? emitRMSNorm(k, isa, spec) : emitLayerNorm(k, isa, spec); });
  return {symbol, Grid{/*tokens=*/1}};
}

} // namespace chimera::cpu
