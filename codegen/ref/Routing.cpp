// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/kernel/KernelBuilder.h"
#include "codegen/ref/Kernels.h"
#include "codegen/ref/Math.h"
#include "codegen/ref/RoutingMath.h"

#include <functional>

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

static constexpr Grid perRow{/*tokens=*/1};
static constexpr Grid perSequence{/*tokens=*/0, /*seqs=*/1};
static constexpr Grid oneBlock{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/1};

/// Routes one row: `row` in the tensors, `index` in the step's arrays.
namespace {
struct RouteBuffers {
  Rows rows;
  Buffer logits, bias, forced, counts, mode, gate, logp;
};
} // namespace

static void routeRow(KernelBuilder &k, const RouteSpec &spec, const RouteBuffers &b, const Buffer &sequenceCounts,
                     Val row, Val index) {
  int64_t modes = spec.modes.size();
  SmallVector<Val> scores, scaled, counts, names;
  for (int64_t m = 0; m < modes; ++m) {
    Val logit = b.logits.load(row * modes + m);
    scores.push_back(logit + b.bias.load(m));
    scaled.push_back((spec.biasInGate ? scores.back() : logit) / k.real(spec.temperature, spec.type));
    counts.push_back(sequenceCounts.load(m));
    names.push_back(k.integer(spec.modes[m]));
  }
  SmallVector<Val> logp = logSoftmax(k, scaled);
  Val admitted = admit(k, spec.modes, spec.capacity, argmax(k, scores), counts, b.rows.position.load(index));
  Val forced = b.forced.load(index * k.argument(5) + k.argument(4));
  for (int64_t m = 0; m < modes; ++m)
    admitted = select(forced == names[m], k.integer(m), admitted);
  for (int64_t m = 0; m < modes; ++m) {
    sequenceCounts.store(k.integer(m), select(admitted == m, counts[m] + 1, counts[m]));
    b.logp.store(row * modes + m, logp[m]);
  }
  b.mode.store(row, pick(names, admitted));
  b.gate.store(row, spec.gate == GateKind::One ? k.real(1, spec.type) : exp(pick(logp, admitted)));
}

static std::string nameOf(const RouteSpec &spec) {
  return symbolOf({"route", nameOf(spec.type), "modes" + nameOf(spec.modes), "temperature" + nameOf(spec.temperature),
                   spec.gate == GateKind::One ? "one" : "prob", spec.biasInGate ? "biased" : "",
                   nameOfCapacity(spec.capacity)});
}

Kernel getOrEmit(ModuleOp kernels, const RouteSpec &spec) {
  std::string symbol = nameOf(spec);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    RouteBuffers b;
    b.rows = k.rows();
    b.logits = k.buffer(spec.type), b.bias = k.buffer(spec.type), b.forced = k.buffer(Elem::I8);
    b.counts = k.buffer(Elem::I64);
    b.mode = k.buffer(Elem::I8), b.gate = k.buffer(spec.type), b.logp = k.buffer(spec.type);
    k.forEach(k.begin(), k.end(), [&](Val sequence) {
      Buffer counts = b.counts.at(b.rows.slot.load(sequence) * static_cast<int64_t>(spec.modes.size()));
      k.forEach(b.rows.start.load(sequence), b.rows.start.load(sequence + 1),
                [&](Val j) { routeRow(k, spec, b, counts, j - b.rows.start.load(0), b.rows.index.load(j)); });
    });
  });
  return {symbol, perSequence};
}

Kernel getOrEmit(ModuleOp kernels, const DispatchSpec &spec) {
  std::string symbol = symbolOf({"dispatch", "modes" + nameOf(spec.modes)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer modes = k.buffer(Elem::I8), index = k.buffer(Elem::I32), inverse = k.buffer(Elem::I32);
    SmallVector<Buffer> starts;
    for (size_t i = 0; i < spec.modes.size(); ++i)
      starts.push_back(k.buffer(Elem::I32));
    k.forEach(k.begin(), k.end(), [&](Val) {
      Val offset = k.integer(0);
      for (size_t i = 0; i < starts.size(); ++i) {
        Val first = offset, name = k.integer(spec.modes[i]);
        Buffer start = starts[i];
        offset = k.fold(k.integer(0), k.sequences(), offset, [&](Val sequence, Val sequenceStart) {
          start.store(sequence, sequenceStart);
          return k.fold(rows.start.load(sequence), rows.start.load(sequence + 1), sequenceStart, [&](Val j, Val next) {
            Val row = rows.index.load(j);
            Val here = modes.load(row) == name;
            k.when(here, [&] {
              index.store(next, row);
              inverse.store(row, next - first);
            });
            return select(here, next + 1, next);
          });
        });
        start.store(k.sequences(), offset);
      }
    });
  });
  return {symbol, oneBlock};
}

Kernel getOrEmit(ModuleOp kernels, const GatherSpec &spec) {
  std::string symbol = symbolOf({"gather", nameOf(spec.type), std::to_string(spec.width)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Elem bits = rawElemOf(spec.type);
    Buffer x = k.buffer(bits), out = k.buffer(bits);
    forEachRow(k, rows.start, [&](Val row) {
      Buffer from = x.at(rows.index.load(rows.start.load(0) + row) * spec.width), to = out.at(row * spec.width);
      k.forEach(0, spec.width, [&](Val c) { to.store(c, from.load(c)); });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const WriteWeightSpec &spec) {
  std::string symbol =
      symbolOf({"write_weight", nameOf(spec.type), std::to_string(spec.column) + "of" + std::to_string(spec.modes)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Elem bits = rawElemOf(spec.type);
    Buffer logp = k.buffer(bits), out = k.buffer(bits);
    forEachRow(k, rows.start, [&](Val row) {
      Val index = rows.index.load(rows.start.load(0) + row);
      out.store(row, logp.load(index * spec.modes + spec.column));
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const CombineSpec &spec) {
  std::string symbol = symbolOf({"combine", nameOf(spec.type), std::to_string(spec.width), "modes" + nameOf(spec.modes),
                                 spec.gated ? "gated" : ""});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), modes = k.buffer(Elem::I8), inverse = k.buffer(Elem::I32);
    Buffer x = k.buffer(spec.type), gates = spec.gated ? k.buffer(spec.type) : Buffer(), out = k.buffer(spec.type);
    SmallVector<Buffer> outputs;
    for (size_t i = 0; i < spec.modes.size(); ++i)
      outputs.push_back(k.buffer(spec.type));
    forEachRow(k, start, [&](Val row) {
      Buffer from = x.at(row * spec.width), to = out.at(row * spec.width);
      Val mode = modes.load(row);
      auto eachColumn = [&](function_ref<Val(Val)> formula) {
        k.forEach(0, spec.width, [&](Val c) { to.store(c, formula(c)); });
      };
      std::function<void(size_t)> fromMode = [&](size_t i) {
        if (i == spec.modes.size())
          return eachColumn([&](Val c) { return from.load(c); });
        auto mix = [&] {
          Buffer o = outputs[i].at(inverse.load(row) * spec.width);
          eachColumn([&](Val c) { return from.load(c) + (spec.gated ? gates.load(row) * o.load(c) : o.load(c)); });
        };
        k.either(mode == spec.modes[i], mix, [&] { fromMode(i + 1); });
      };
      fromMode(0);
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const StackModesSpec &spec) {
  std::string symbol = symbolOf({"stack_modes", std::to_string(spec.layers)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), out = k.buffer(Elem::I8);
    int64_t firstInput = k.buffersTaken();
    forEachRow(k, start, [&](Val row) {
      k.forEach(0, spec.layers, [&](Val layer) {
        out.store(row * spec.layers + layer, k.bufferAt(layer + firstInput, Elem::I8).load(row));
      });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const ConstantModeSpec &) {
  std::string symbol = symbolOf({"constant_mode"});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), out = k.buffer(Elem::I8);
    forEachRow(k, start, [&](Val row) { out.store(row, k.argument(4)); });
  });
  return {symbol, perRow};
}

} // namespace chimera::ref
