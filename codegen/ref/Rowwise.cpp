// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/kernel/KernelBuilder.h"
#include "codegen/ref/Kernels.h"
#include "codegen/ref/Math.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;

namespace chimera::ref {

static constexpr Grid perRow{/*tokens=*/1};

/// A kernel that maps each element of its inputs, all [., width] of `type`, to one of its output.
static Kernel elementwise(ModuleOp kernels, StringRef name, int64_t width, Scalar type, unsigned inputs,
                          function_ref<Val(ArrayRef<Val>)> formula) {
  std::string symbol = symbolOf({name.str(), nameOf(type), std::to_string(width)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32);
    SmallVector<Buffer> operands;
    for (unsigned i = 0; i < inputs; ++i)
      operands.push_back(k.buffer(type));
    Buffer out = k.buffer(type);
    forEachRow(k, start, [&](Val row) {
      k.forEach(row * width, (row + 1) * width, [&](Val i) {
        out.store(i, formula(llvm::map_to_vector(operands, [&](Buffer &b) { return b.load(i); })));
      });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const AddSpec &spec) {
  return elementwise(kernels, "add", spec.width, spec.type, 2, [](ArrayRef<Val> x) { return x[0] + x[1]; });
}

Kernel getOrEmit(ModuleOp kernels, const AddBiasSpec &spec) {
  std::string symbol = symbolOf({"add_bias", nameOf(spec.type), std::to_string(spec.width)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), x = k.buffer(spec.type), b = k.buffer(spec.type), out = k.buffer(spec.type);
    forEachRow(k, start, [&](Val row) {
      Buffer in = x.at(row * spec.width), to = out.at(row * spec.width);
      k.forEach(0, spec.width, [&](Val c) { to.store(c, in.load(c) + b.load(c)); });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const ScaleSpec &spec) {
  return elementwise(kernels, "scale_" + nameOf(spec.factor), spec.width, spec.type, 1,
                     [&](ArrayRef<Val> x) { return x[0] * x[0].builder->real(spec.factor, x[0].value.getType()); });
}

Kernel getOrEmit(ModuleOp kernels, const ScaleColumnsSpec &spec) {
  std::string ranges;
  int64_t columns = 0;
  for (auto [factor, width] : llvm::zip_equal(spec.factors, spec.widths)) {
    ranges += "_" + std::to_string(width) + "_by_" + nameOf(factor);
    columns += width;
  }
  std::string symbol = symbolOf({"scale_columns" + ranges, nameOf(spec.type)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), x = k.buffer(spec.type), out = k.buffer(spec.type);
    forEachRow(k, start, [&](Val row) {
      int64_t first = 0;
      for (auto [factor, width] : llvm::zip_equal(spec.factors, spec.widths)) {
        Val begin = row * columns + first;
        k.forEach(begin, begin + width, [&, factor = factor](Val i) {
          Val value = x.load(i);
          out.store(i, value * k.real(factor, spec.type));
        });
        first += width;
      }
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const SoftCapSpec &spec) {
  return elementwise(kernels, "soft_cap_" + nameOf(spec.cap), spec.width, spec.type, 1,
                     [&](ArrayRef<Val> x) { return softCap(x[0], spec.cap); });
}

Kernel getOrEmit(ModuleOp kernels, const ActivateSpec &spec) {
  return elementwise(kernels, nameOf(spec.activation), spec.width, spec.type, 1,
                     [&](ArrayRef<Val> x) { return activate(spec.activation, x[0]); });
}

Kernel getOrEmit(ModuleOp kernels, const GluSpec &spec) {
  return elementwise(kernels, "glu_" + nameOf(spec.activation), spec.width, spec.type, 2,
                     [&](ArrayRef<Val> x) { return activate(spec.activation, x[0]) * x[1]; });
}

Kernel getOrEmit(ModuleOp kernels, const CastSpec &spec) {
  std::string symbol = symbolOf({"cast", nameOf(spec.from), nameOf(spec.to), std::to_string(spec.width)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), x = k.buffer(spec.from), out = k.buffer(spec.to);
    forEachRow(k, start, [&](Val row) {
      k.forEach(row * spec.width, (row + 1) * spec.width, [&](Val i) { out.store(i, x.load(i)); });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const EmbedSpec &spec) {
  std::string symbol = symbolOf({"embed", nameOf(spec.table), nameOf(spec.out), std::to_string(spec.width)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), tokens = k.buffer(Elem::I32);
    Buffer table = k.buffer(spec.table), out = k.buffer(spec.out);
    forEachRow(k, start, [&](Val row) {
      Buffer from = table.at(tokens.load(row) * spec.width), to = out.at(row * spec.width);
      k.forEach(0, spec.width, [&](Val c) { to.store(c, from.load(c)); });
    });
  });
  return {symbol, perRow};
}

/// 1 over this is the factor of a norm: sqrt(sum / count + eps).
static Val rootMean(Val sum, int64_t count, double eps) {
  Type type = sum.value.getType();
  KernelBuilder &k = *sum.builder;
  return sqrt(sum / k.real(static_cast<double>(count), type) + k.real(eps, type));
}

static void emitRMSNorm(KernelBuilder &k, const NormSpec &spec) {
  Buffer start = k.buffer(Elem::I32), x = k.buffer(spec.type), w = k.buffer(spec.type), out = k.buffer(spec.type);
  int64_t size = spec.width / spec.groups;
  auto normalise = [&](Val first) {
    Buffer in = x.at(first), to = out.at(first);
    Val sum = k.fold(0, size, k.real(0, spec.type), [&](Val c, Val s) { return fma(in.load(c), in.load(c), s); });
    Val root = rootMean(sum, size, spec.eps);
    k.forEach(0, size, [&](Val c) { to.store(c, in.load(c) / root * unitOffset(w.load(c), spec.unitOffset)); });
  };
  forEachRow(k, start, [&](Val row) { forEachGroup(k, row * spec.width, spec.groups, size, normalise); });
}

static void emitLayerNorm(KernelBuilder &k, const NormSpec &spec) {
  Buffer start = k.buffer(Elem::I32), x = k.buffer(spec.type), w = k.buffer(spec.type), b = k.buffer(spec.type);
  Buffer out = k.buffer(spec.type);
  forEachRow(k, start, [&](Val row) {
    Buffer in = x.at(row * spec.width), to = out.at(row * spec.width);
    Val zero = k.real(0, spec.type);
    Val sum = k.fold(0, spec.width, zero, [&](Val c, Val s) { return s + in.load(c); });
    Val mean = sum / k.real(static_cast<double>(spec.width), spec.type);
    Val squares = k.fold(0, spec.width, zero, [&](Val c, Val s) {
      Val d = in.load(c) - mean;
      return fma(d, d, s);
    });
    Val root = rootMean(squares, spec.width, spec.eps);
    k.forEach(0, spec.width, [&](Val c) { to.store(c, (in.load(c) - mean) / root * w.load(c) + b.load(c)); });
  });
}

Kernel getOrEmit(ModuleOp kernels, const NormSpec &spec) {
  bool rms = spec.kind == NormKind::RMS;
  std::string symbol = symbolOf({"norm", rms ? "rms" : "layer", nameOf(spec.type), std::to_string(spec.width),
                                 "eps" + nameOf(spec.eps), groupsName(spec.groups), spec.unitOffset ? "offset" : ""});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) { rms ? emitRMSNorm(k, spec) : emitLayerNorm(k, spec); });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const GatedNormSpec &spec) {
  std::string symbol = symbolOf({"gated_norm", nameOf(spec.type), std::to_string(spec.width),
                                 "groups" + std::to_string(spec.groups), "eps" + nameOf(spec.eps)});
  int64_t size = spec.width / spec.groups;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), y = k.buffer(spec.type), z = k.buffer(spec.type), w = k.buffer(spec.type);
    Buffer out = k.buffer(spec.type);
    forEachRow(k, start, [&](Val row) {
      k.forEach(0, spec.groups, [&](Val group) {
        Val first = row * spec.width + group * size;
        Buffer to = out.at(first), weights = w.at(group * size);
        Val sum = k.fold(0, size, k.real(0, spec.type), [&](Val c, Val s) {
          Val u = y.load(first + c) * silu(z.load(first + c));
          to.store(c, u);
          return fma(u, u, s);
        });
        Val root = rootMean(sum, size, spec.eps);
        k.forEach(0, size, [&](Val c) { to.store(c, to.load(c) / root * weights.load(c)); });
      });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const ColumnsSpec &spec) {
  std::string symbol = symbolOf({"columns", nameOf(spec.type), std::to_string(spec.width),
                                 "from" + std::to_string(spec.offset), "size" + std::to_string(spec.size)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Elem bits = rawElemOf(spec.type);
    Buffer start = k.buffer(Elem::I32), x = k.buffer(bits), out = k.buffer(bits);
    forEachRow(k, start, [&](Val row) {
      Buffer from = x.at(row * spec.width + spec.offset), to = out.at(row * spec.size);
      k.forEach(0, spec.size, [&](Val c) { to.store(c, from.load(c)); });
    });
  });
  return {symbol, perRow};
}

/// Rotates dimensions d and d + dims/2 of every head of a row by position * frequency radians, or back.
static void rotate(KernelBuilder &k, const RopeSpec &spec, Val position, Val d, Val frequency, const Buffer &from,
                   const Buffer &to) {
  int64_t half = spec.dims / 2;
  SinCos turn = sinCos(position * frequency);
  Type type = k.floatType(spec.type);
  Val sine = toFloat(spec.inverse ? -turn.sine : turn.sine, type), cosine = toFloat(turn.cosine, type);
  k.forEach(0, spec.heads, [&](Val head) {
    Val low = head * spec.headSize + d, high = low + half;
    Val a = from.load(low), b = from.load(high);
    to.store(low, a * cosine - b * sine);
    to.store(high, b * cosine + a * sine);
  });
}

Kernel getOrEmit(ModuleOp kernels, const RopeSpec &spec) {
  auto bytes = llvm::ArrayRef(reinterpret_cast<const uint8_t *>(spec.frequencies.data()),
                              spec.frequencies.size() * sizeof(double));
  std::string symbol =
      symbolOf({spec.inverse ? "rope_inverse" : "rope", nameOf(spec.type),
                std::to_string(spec.heads) + "x" + std::to_string(spec.headSize), "dims" + std::to_string(spec.dims),
                llvm::utohexstr(llvm::xxh3_64bits(bytes), /*LowerCase=*/true)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Elem bits = rawElemOf(spec.type);
    Buffer x = k.buffer(spec.type), out = k.buffer(spec.type);
    Buffer frequencies = k.constants(symbol + "_frequencies", spec.frequencies);
    int64_t width = spec.heads * spec.headSize;
    forEachRow(k, rows.start, [&](Val row) {
      Val index = rows.index.load(rows.start.load(0) + row);
      Val position = intToFloat(rows.position.load(index), k.f64Type());
      Buffer from = x.at(row * width), to = out.at(row * width);
      k.forEach(0, spec.dims / 2, [&](Val d) { rotate(k, spec, position, d, frequencies.load(d), from, to); });
      Buffer fromBits(k, from.base().value, bits), toBits(k, to.base().value, bits);
      k.forEach(0, spec.heads, [&](Val head) {
        Val first = head * spec.headSize;
        k.forEach(first + spec.dims, first + spec.headSize, [&](Val i) { toBits.store(i, fromBits.load(i)); });
      });
    });
  });
  return {symbol, perRow};
}

} // namespace chimera::ref
