// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/Math.h"
#include "codegen/ref/TrainingKernels.h"
#include "codegen/ref/TrainingSupport.h"

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

static constexpr Grid perRow{/*tokens=*/1};

namespace {

/// A vector of `size` that a norm divided by its root: n = (x - mean) / root. The mean is 0 for RMS.
struct Normalised {
  Buffer x;
  Val mean, root;
  bool centred;

  Val at(Val c) const { return (centred ? x.load(c) - mean : x.load(c)) / root; }
};

} // namespace

static Val countOf(KernelBuilder &k, int64_t size, Scalar type) {
  return k.real(static_cast<double>(size), type);
}

/// The forward statistics of a norm, by the same operations as the norm's own kernel.
static Normalised normalise(KernelBuilder &k, const Buffer &x, int64_t size, NormKind kind, double eps, Scalar type) {
  Val zero = k.real(0, type), count = countOf(k, size, type);
  bool centred = kind == NormKind::Layer;
  Val mean = centred ? k.fold(0, size, zero, [&](Val c, Val s) { return s + x.load(c); }) / count : zero;
  Val squares = k.fold(0, size, zero, [&](Val c, Val s) {
    Val d = centred ? x.load(c) - mean : x.load(c);
    return fma(d, d, s);
  });
  return {x, mean, sqrt(squares / count + k.real(eps, type)), centred};
}

/// The gradient through n = (x - mean) / root: calls `result(c, dx_c)`, with g(c) the gradient by n.
static void backThroughNorm(KernelBuilder &k, const Normalised &n, int64_t size, Scalar type, function_ref<Val(Val)> g,
                            function_ref<void(Val, Val)> result) {
  Val zero = k.real(0, type), count = countOf(k, size, type);
  Val along = k.fold(0, size, zero, [&](Val c, Val s) { return fma(g(c), n.at(c), s); }) / count;
  Val common = n.centred ? k.fold(0, size, zero, [&](Val c, Val s) { return s + g(c); }) / count : zero;
  k.forEach(0, size, [&](Val c) {
    Val centred = n.centred ? g(c) - common : g(c);
    result(c, (centred - n.at(c) * along) / n.root);
  });
}

Kernel getOrEmit(ModuleOp kernels, const NormGradSpec &spec) {
  std::string symbol = symbolOf({"norm_grad", spec.kind == NormKind::RMS ? "rms" : "layer", nameOf(spec.type),
                                 std::to_string(spec.width), "eps" + nameOf(spec.eps), groupsName(spec.groups),
                                 spec.unitOffset ? "offset" : ""});
  int64_t size = spec.width / spec.groups;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), x = k.buffer(spec.type), w = k.buffer(spec.type), dy = k.buffer(spec.type);
    Buffer dx = k.buffer(spec.type), rows = k.buffer(spec.type);
    forEachRow(k, start, [&](Val row) {
      Buffer toRows = rows.at(row * size);
      if (spec.groups > 1)
        k.forEach(0, size, [&](Val c) { toRows.store(c, k.real(0, spec.type)); });
      forEachGroup(k, row * spec.width, spec.groups, size, [&](Val first) {
        Buffer upstream = dy.at(first), toX = dx.at(first);
        Normalised n = normalise(k, x.at(first), size, spec.kind, spec.eps, spec.type);
        auto g = [&](Val c) { return unitOffset(w.load(c), spec.unitOffset) * upstream.load(c); };
        backThroughNorm(k, n, size, spec.type, g, [&](Val c, Val gradient) {
          toX.store(c, gradient);
          Val part = n.at(c) * upstream.load(c);
          toRows.store(c, spec.groups > 1 ? toRows.load(c) + part : part);
        });
      });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const GatedNormGradSpec &spec) {
  std::string symbol = symbolOf({"gated_norm_grad", nameOf(spec.type), std::to_string(spec.width),
                                 "groups" + std::to_string(spec.groups), "eps" + nameOf(spec.eps)});
  int64_t size = spec.width / spec.groups;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), y = k.buffer(spec.type), z = k.buffer(spec.type), w = k.buffer(spec.type);
    Buffer dout = k.buffer(spec.type), dy = k.buffer(spec.type), dz = k.buffer(spec.type), rows = k.buffer(spec.type);
    forEachRow(k, start, [&](Val row) {
      k.forEach(0, spec.groups, [&](Val group) {
        Val first = row * spec.width + group * size;
        Buffer values = y.at(first), gates = z.at(first), weights = w.at(group * size), upstream = dout.at(first);
        Buffer toY = dy.at(first), toZ = dz.at(first), toRows = rows.at(first);
        // u lies in dy until its own gradient takes the place.
        k.forEach(0, size, [&](Val c) { toY.store(c, values.load(c) * silu(gates.load(c))); });
        Normalised n = normalise(k, toY, size, NormKind::RMS, spec.eps, spec.type);
        auto g = [&](Val c) { return weights.load(c) * upstream.load(c); };
        backThroughNorm(k, n, size, spec.type, g, [&](Val c, Val du) {
          toRows.store(c, upstream.load(c) * n.at(c));
          Val gate = gates.load(c), slope = toFloat(siluSlope(toFloat(gate, k.f64Type())), k.floatType(spec.type));
          toY.store(c, du * silu(gate));
          toZ.store(c, du * values.load(c) * slope);
        });
      });
    });
  });
  return {symbol, perRow};
}

/// A kernel that maps each element of its inputs to one of each output, all [., width] of `type`, in f64.
static Kernel elementwise(ModuleOp kernels, StringRef name, int64_t width, Scalar type, unsigned inputs,
                          unsigned outputs, function_ref<SmallVector<Val>(ArrayRef<Val>)> formula) {
  std::string symbol = symbolOf({name.str(), nameOf(type), std::to_string(width)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32);
    SmallVector<Buffer> operands, results;
    for (unsigned i = 0; i < inputs + outputs; ++i)
      (i < inputs ? operands : results).push_back(k.buffer(type));
    forEachRow(k, start, [&](Val row) {
      k.forEach(row * width, (row + 1) * width, [&](Val i) {
        auto values = llvm::map_to_vector(operands, [&](Buffer &b) { return toFloat(b.load(i), k.f64Type()); });
        for (auto [to, value] : llvm::zip_equal(results, formula(values)))
          to.store(i, value);
      });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const ActivateGradSpec &spec) {
  return elementwise(kernels, nameOf(spec.activation) + "_grad", spec.width, spec.type, 2, 1,
                     [&](ArrayRef<Val> v) { return SmallVector<Val>{v[1] * activationSlope(spec.activation, v[0])}; });
}

Kernel getOrEmit(ModuleOp kernels, const GluGradSpec &spec) {
  return elementwise(
      kernels, "glu_" + nameOf(spec.activation) + "_grad", spec.width, spec.type, 3, 2, [&](ArrayRef<Val> v) {
        Val gate = v[0], up = v[1], dy = v[2];
        return SmallVector<Val>{dy * up * activationSlope(spec.activation, gate), dy * activate(spec.activation, gate)};
      });
}

Kernel getOrEmit(ModuleOp kernels, const JoinColumnsSpec &spec) {
  std::string pieces;
  for (size_t i = 0; i < spec.sizes.size(); ++i)
    pieces += "_" + std::to_string(spec.sizes[i]) + "at" + std::to_string(spec.offsets[i]);
  std::string symbol = symbolOf({"join_columns", nameOf(spec.type), std::to_string(spec.width)}) + pieces;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Elem bits = rawElemOf(spec.type);
    Buffer start = k.buffer(Elem::I32);
    SmallVector<Buffer> inputs;
    for (size_t i = 0; i < spec.sizes.size(); ++i)
      inputs.push_back(k.buffer(bits));
    Buffer out = k.buffer(bits);
    forEachRow(k, start, [&](Val row) {
      Buffer to = out.at(row * spec.width);
      k.forEach(0, spec.width, [&](Val c) { to.store(c, k.integer(0)); });
      for (size_t i = 0; i < inputs.size(); ++i) {
        Buffer from = inputs[i].at(row * spec.sizes[i]);
        k.forEach(0, spec.sizes[i], [&](Val c) { to.store(c + spec.offsets[i], from.load(c)); });
      }
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const ColumnSumSpec &spec) {
  std::string symbol = symbolOf({"column_sum", nameOf(spec.in), nameOf(spec.out), std::to_string(spec.width)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer leaves = k.buffer(Elem::I32), start = k.buffer(Elem::I32), x = k.buffer(spec.in), out = k.buffer(spec.out);
    k.forEach(k.begin(), k.end(), [&](Val column) {
      Val zero = k.integer(0);
      Buffer sum = sumOverLeaves(k, leaves, spec.out, 1, k.integer(1), [&](Val sequence, const Buffer &sums) {
        forEachRowOf(k, start, sequence, [&](Val row) {
          Val value = toFloat(x.load(row * spec.width + column), k.floatType(spec.out));
          sums.store(zero, sums.load(zero) + value);
        });
      });
      out.store(column, sum.load(zero));
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/spec.width}};
}

} // namespace chimera::ref
