// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingRowwise.h"
#include "codegen/cpu/TrainingRowwiseLoops.h"

using namespace mlir;

namespace chimera::cpu {

/// 1 / root.
static Val inverseRoot(Val squares, int64_t count, double eps) {
  return squares.builder->real(1, Scalar::F32) / rootMean(squares, count, eps);
}

static Val meanOf(Val sum, int64_t count) {
  return sum / sum.builder->real(static_cast<double>(count), Scalar::F32);
}

static void emitRMSNormGrad(KernelBuilder &k, const Isa &isa, const NormGradSpec &spec) {
  Buffer start = k.buffer(Elem::I32), x = k.buffer(Elem::F32), w = k.buffer(Elem::F32), dy = k.buffer(Elem::F32);
  Buffer dx = k.buffer(Elem::F32), rows = k.buffer(Elem::F32);
  int64_t size = spec.width / spec.groups;
  forEachRow(k, start, [&](Val row) {
    Buffer toRows = rows.at(row * size);
    if (spec.groups > 1)
      forEachVector(k, size, isa.lanes,
                    [&](Val i, int64_t lanes) { toRows.storeVector(i, splat(k.real(0, Scalar::F32), lanes)); });
    forEachGroup(k, row * spec.width, spec.groups, size, [&](Val first) {
      Buffer in = x.at(first), upstream = dy.at(first);
      SmallVector<Val> sums = sumsInLanes(k, size, 2, [&](LoadLanes load, ArrayRef<Val> carried) {
        Val d = load(in);
        Val g = unitOffset(load(w), spec.unitOffset) * load(upstream);
        return SmallVector<Val>{fma(d, d, carried[0]), fma(g, d, carried[1])};
      });
      Val inverse = inverseRoot(sums[0], size, spec.eps);
      Val along = inverse * inverse * meanOf(sums[1], size);
      forEachVector(k, size, isa.lanes, [&](Val i, int64_t lanes) {
        Val d = in.loadVector(i, lanes), up = upstream.loadVector(i, lanes), scale = splat(inverse, lanes);
        Val g = unitOffset(w.loadVector(i, lanes), spec.unitOffset) * up, part = up * (d * scale);
        dx.storeVector(first + i, scale * fma(-d, splat(along, lanes), g));
        toRows.storeVector(i, spec.groups > 1 ? toRows.loadVector(i, lanes) + part : part);
      });
    });
  });
}

static void emitLayerNormGrad(KernelBuilder &k, const Isa &isa, const NormGradSpec &spec) {
  Buffer start = k.buffer(Elem::I32), x = k.buffer(Elem::F32), w = k.buffer(Elem::F32), dy = k.buffer(Elem::F32);
  Buffer dx = k.buffer(Elem::F32), rows = k.buffer(Elem::F32);
  forEachRow(k, start, [&](Val row) {
    Val first = row * spec.width;
    Buffer in = x.at(first), upstream = dy.at(first);
    SmallVector<Val> means = sumsInLanes(k, spec.width, 2, [&](LoadLanes load, ArrayRef<Val> carried) {
      return SmallVector<Val>{carried[0] + load(in), carried[1] + load(w) * load(upstream)};
    });
    Val mean = meanOf(means[0], spec.width), common = meanOf(means[1], spec.width);
    SmallVector<Val> sums = sumsInLanes(k, spec.width, 2, [&](LoadLanes load, ArrayRef<Val> carried) {
      Val d = load(in) - splat(mean, sumLanes);
      return SmallVector<Val>{fma(d, d, carried[0]), fma(load(w) * load(upstream), d, carried[1])};
    });
    Val inverse = inverseRoot(sums[0], spec.width, spec.eps);
    Val along = inverse * inverse * meanOf(sums[1], spec.width);
    forEachVector(k, spec.width, isa.lanes, [&](Val i, int64_t lanes) {
      Val d = in.loadVector(i, lanes) - splat(mean, lanes), up = upstream.loadVector(i, lanes);
      Val g = w.loadVector(i, lanes) * up - splat(common, lanes), scale = splat(inverse, lanes);
      dx.storeVector(first + i, scale * fma(-d, splat(along, lanes), g));
      rows.storeVector(first + i, up * (d * scale));
    });
  });
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const NormGradSpec &spec) {
  bool rms = spec.kind == NormKind::RMS;
  std::string symbol = symbolOf({"cpu_norm_grad", rms ? "rms" : "layer", std::to_string(spec.width),
                                 "eps" + nameOf(spec.eps), groupsName(spec.groups), spec.unitOffset ? "offset" : ""});
  emitKernel(kernels, symbol,
             [&](KernelBuilder &k) { rms ? emitRMSNormGrad(k, isa, spec) : emitLayerNormGrad(k, isa, spec); });
  return {symbol, Grid{/*tokens=*/1}};
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const GatedNormGradSpec &spec) {
  int64_t width = spec.width, size = width / spec.groups;
  std::string symbol = symbolOf(
      {"cpu_gated_norm_grad", std::to_string(width), "groups" + std::to_string(spec.groups), "eps" + nameOf(spec.eps)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), y = k.buffer(Elem::F32), z = k.buffer(Elem::F32), w = k.buffer(Elem::F32);
    Buffer dout = k.buffer(Elem::F32), dy = k.buffer(Elem::F32), dz = k.buffer(Elem::F32), rows = k.buffer(Elem::F32);
    forEachRow(k, start, [&](Val row) {
      k.forEach(0, spec.groups, [&](Val group) {
        Val first = row * width + group * size;
        Buffer weights = w.at(group * size), upstream = dout.at(first), toY = dy.at(first), toZ = dz.at(first);
        // silu and its slope lie in dy and dz until the gradients take their places.
        forEachVector(k, size, isa.lanes, [&](Val i, int64_t lanes) {
          ActivationParts parts = siluParts(z.loadVector(first + i, lanes));
          toY.storeVector(i, parts.value);
          toZ.storeVector(i, parts.slope);
        });
        Buffer values = y.at(first);
        SmallVector<Val> sums = sumsInLanes(k, size, 2, [&](LoadLanes load, ArrayRef<Val> carried) {
          Val u = load(values) * load(toY);
          return SmallVector<Val>{fma(u, u, carried[0]), fma(load(weights) * load(upstream), u, carried[1])};
        });
        Val inverse = inverseRoot(sums[0], size, spec.eps), along = inverse * inverse * meanOf(sums[1], size);
        forEachVector(k, size, isa.lanes, [&](Val i, int64_t lanes) {
          Val value = values.loadVector(i, lanes), silu = toY.loadVector(i, lanes), slope = toZ.loadVector(i, lanes);
          Val up = upstream.loadVector(i, lanes), scale = splat(inverse, lanes), u = value * silu;
          Val du = scale * fma(-u, splat(along, lanes), weights.loadVector(i, lanes) * up);
          rows.storeVector(first + i, up * (u * scale));
          toY.storeVector(i, du * silu);
          toZ.storeVector(i, du * value * slope);
        });
      });
    });
  });
  return {symbol, Grid{/*tokens=*/1}};
}

} // namespace chimera::cpu
