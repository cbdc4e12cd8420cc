// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/kernel/KernelBuilder.h"
#include "codegen/ref/Kernels.h"
#include "codegen/ref/Math.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <algorithm>
#include <functional>

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

static constexpr Grid perRow{/*tokens=*/1};
static constexpr Grid perSequence{/*tokens=*/0, /*seqs=*/1};
static constexpr Grid oneBlock{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/1};

/// The places in `modes` in the order in which a refused token tries them: full, swa, ssm, identity.
static SmallVector<int64_t> refusalChain(ArrayRef<int> modes) {
  SmallVector<int64_t> chain;
  for (int mode : {2, 1, 0, 3}) {
    const int *place = std::find(modes.begin(), modes.end(), mode);
    if (place != modes.end())
      chain.push_back(place - modes.begin());
  }
  return chain;
}

/// The place of the greatest; the first on ties.
static Val argmax(KernelBuilder &k, ArrayRef<Val> scores) {
  Val best = scores[0], place = k.integer(0);
  for (size_t i = 1; i < scores.size(); ++i) {
    Val better = scores[i] > best;
    best = select(better, scores[i], best);
    place = select(better, k.integer(i), place);
  }
  return place;
}

/// values[place].
static Val pick(ArrayRef<Val> values, Val place) {
  Val picked = values[0];
  for (size_t i = 1; i < values.size(); ++i)
    picked = select(place == i, values[i], picked);
  return picked;
}

/// q - log(sum exp q) in f64, the greatest taken away first.
static SmallVector<Val> logSoftmax(KernelBuilder &k, ArrayRef<Val> logits) {
  SmallVector<Val> shifted = llvm::map_to_vector(logits, [&](Val q) { return toFloat(q, k.f64Type()); });
  Val greatest = shifted[0];
  for (Val q : llvm::drop_begin(shifted))
    greatest = select(q > greatest, q, greatest);
  Val sum = k.real(0, k.f64Type());
  for (Val &q : shifted) {
    q = q - greatest;
    sum = sum + exp(q);
  }
  Val logSum = log(sum);
  for (Val &q : shifted)
    q = q - logSum;
  return shifted;
}

/// Whether a mode with `admitted` tokens may take the one at this position.
static Val mayEnter(KernelBuilder &k, const Capacity &capacity, Val admitted, Val position) {
  Val open = {&k, k.ops.create<arith::ConstantIntOp>(k.loc, 1, 1)};
  if (capacity.rate) {
    // A positive rate below 1e-300 allows one token at every position, and so does 1e-300, which is never flushed to 0.
    double rate = *capacity.rate > 0 ? std::max(*capacity.rate, 1e-300) : *capacity.rate;
    Val limit = ceil(k.real(rate, k.f64Type()) * intToFloat(position + 1, k.f64Type()));
    open = open & (intToFloat(admitted, k.f64Type()) < limit);
  }
  if (capacity.maxTokens)
    open = open & (admitted < *capacity.maxTokens);
  return open;
}

/// The place of the mode that the token is admitted to by capacity.
static Val admit(KernelBuilder &k, const RouteSpec &spec, Val wanted, ArrayRef<Val> counts, Val position) {
  SmallVector<int64_t> chain = refusalChain(spec.modes);
  // From the back of the chain: where a token ends that arrives at each mode. The last one takes all.
  Val arrival = k.integer(chain.back());
  Val admitted = arrival;
  for (int64_t place : llvm::drop_begin(llvm::reverse(chain))) {
    if (!spec.capacity.empty()) {
      Val open = mayEnter(k, spec.capacity[place], counts[place], position);
      arrival = select(open, k.integer(place), arrival);
    } else {
      arrival = k.integer(place);
    }
    admitted = select(wanted == place, arrival, admitted);
  }
  return admitted;
}

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
  Val admitted = admit(k, spec, argmax(k, scores), counts, b.rows.position.load(index));
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
  std::string capacity;
  for (const Capacity &c : spec.capacity)
    capacity += (c.rate ? "r" + nameOf(*c.rate) : "r") + (c.maxTokens ? "n" + std::to_string(*c.maxTokens) : "n");
  return symbolOf({"route", nameOf(spec.type), "modes" + nameOf(spec.modes), "temperature" + nameOf(spec.temperature),
                   spec.gate == GateKind::One ? "one" : "prob", spec.biasInGate ? "biased" : "", capacity});
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
