// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/Math.h"
#include "codegen/ref/RoutingMath.h"
#include "codegen/ref/TrainingKernels.h"
#include "codegen/ref/TrainingSupport.h"

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

static constexpr Grid perRow{/*tokens=*/1};
/// Canonical modes.
static constexpr int64_t modeCount = 4;

/// Where a layer's pushes, pulls and the entropy's coefficient begin in its row of `prices`.
static constexpr int64_t pushesAt = modeCount, pullsAt = 2 * modeCount, entropyAt = 3 * modeCount;
static_assert(entropyAt + 1 == ir::pricesPerLayer);

static Val temperatureOf(KernelBuilder &k, const Buffer &hyper, Scalar type) {
  return toFloat(hyper.load(static_cast<int64_t>(Hyper::Temperature)), k.floatType(type));
}

namespace {

struct SeqRoute {
  KernelBuilder &k;
  const SeqRouteSpec &spec;
  Rows rows;
  Buffer logits, bias, noise, hyper, mode, wanted, gate, logp;

  SeqRoute(KernelBuilder &k, const SeqRouteSpec &spec) : k(k), spec(spec), rows(k.rows()) {
    logits = k.buffer(spec.type), bias = k.buffer(spec.type);
    noise = k.buffer(Elem::F64), hyper = k.buffer(Elem::F64);
    mode = k.buffer(Elem::I8), wanted = k.buffer(Elem::I8);
    gate = k.buffer(spec.type), logp = k.buffer(spec.type);
  }

  /// Routes the compact row, at `position` of its sequence; returns the counts after it.
  SmallVector<Val> route(Val row, Val position, ArrayRef<Val> counts) const {
    auto modes = static_cast<int64_t>(spec.modes.size());
    Val tau = temperatureOf(k, hyper, spec.type), wideTau = toFloat(tau, k.f64Type());
    Val noiseRow = (rowId(rows, row) * k.argument(5) + k.argument(4)) * modeCount;
    SmallVector<Val> scores, scaled, names;
    for (int64_t m = 0; m < modes; ++m) {
      Val logit = logits.load(row * modes + m), score = logit + bias.load(m);
      Val jolt = noise.load(noiseRow + spec.modes[m]), q = (spec.biasInGate ? score : logit) / tau;
      scores.push_back(score + toFloat(wideTau * jolt, k.floatType(spec.type)));
      scaled.push_back(spec.admits ? q : q + toFloat(jolt, k.floatType(spec.type)));
      names.push_back(k.integer(spec.modes[m]));
    }
    SmallVector<Val> logs = logSoftmax(k, scaled);
    Val wish = argmax(k, scores);
    Val admitted = spec.admits ? admit(k, spec.modes, spec.capacity, wish, counts, position) : wish;
    SmallVector<Val> after;
    for (int64_t m = 0; m < modes; ++m) {
      after.push_back(select(admitted == m, counts[m] + 1, counts[m]));
      logp.store(row * modes + m, logs[m]);
    }
    mode.store(row, pick(names, admitted));
    wanted.store(row, pick(names, wish));
    gate.store(row, spec.gate == GateKind::One ? k.real(1, spec.type) : exp(pick(logs, admitted)));
    return after;
  }

  void emit() const {
    SmallVector<Val> none(spec.modes.size(), k.integer(0));
    k.forEach(k.begin(), k.end(), [&](Val sequence) {
      Val first = rows.start.load(sequence), base = first - rows.start.load(0);
      k.foldMany(k.integer(0), rows.start.load(sequence + 1) - first, none,
                 [&](Val position, ArrayRef<Val> counts) { return route(base + position, position, counts); });
    });
  }
};

} // namespace

Kernel getOrEmit(ModuleOp kernels, const SeqRouteSpec &spec) {
  std::string symbol = symbolOf({"seq_route", nameOf(spec.type), "modes" + nameOf(spec.modes),
                                 spec.gate == GateKind::One ? "one" : "prob", spec.biasInGate ? "biased" : "",
                                 spec.admits ? "admits" : "", spec.admits ? nameOfCapacity(spec.capacity) : ""});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) { SeqRoute(k, spec).emit(); });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/1}};
}

namespace {

struct SeqRouteGrad {
  KernelBuilder &k;
  const SeqRouteGradSpec &spec;
  Buffer start, logits, bias, hyper, prices, mode, dgate, dlogp, noise, dlogits;

  SeqRouteGrad(KernelBuilder &k, const SeqRouteGradSpec &spec) : k(k), spec(spec) {
    start = k.buffer(Elem::I32), logits = k.buffer(spec.type), bias = k.buffer(spec.type);
    hyper = k.buffer(Elem::F64), prices = k.buffer(Elem::F64), mode = k.buffer(Elem::I8);
    dgate = spec.gate ? k.buffer(spec.type) : Buffer();
    dlogp = spec.logp ? k.buffer(spec.type) : Buffer();
    noise = spec.noise ? k.buffer(Elem::F64) : Buffer();
    dlogits = k.buffer(spec.type);
  }

  /// The routing's q of a row's m-th mode.
  Val scaledLogit(Val row, int64_t m, Val tau) const {
    Val logit = logits.load(row * static_cast<int64_t>(spec.modes.size()) + m);
    Val q = (spec.biasInGate ? logit + bias.load(m) : logit) / tau;
    if (!spec.noise)
      return q;
    Val noiseRow = (row * k.argument(5) + k.argument(4)) * modeCount;
    return q + toFloat(noise.load(noiseRow + spec.modes[m]), k.floatType(spec.type));
  }

  /// The gradient by the m-th ln p of a row, but for the pushes; `priceRow` is the layer's first price.
  Val gradientOfLog(Val row, int64_t m, Val logp, Val p, Val priceRow) const {
    Type f64 = k.f64Type();
    auto modes = static_cast<int64_t>(spec.modes.size());
    Val zero = k.real(0, f64);
    Val e = spec.logp ? toFloat(dlogp.load(row * modes + m), f64) : zero;
    if (spec.gate)
      e = e + select(mode.load(row) == spec.modes[m], p * toFloat(dgate.load(row), f64), zero);
    e = e + p * prices.load(priceRow + spec.modes[m]);
    e = e - prices.load(priceRow + (pullsAt + spec.modes[m]));
    return e - prices.load(priceRow + entropyAt) * p * (logp + k.real(1, f64));
  }

  /// The gradient by the m-th of a row's q of -push_n ln(1 - p_n), summed over n.
  Val pushed(ArrayRef<Val> p, int64_t m, Val priceRow) const {
    auto modes = static_cast<int64_t>(spec.modes.size());
    Val sum = k.real(0, k.f64Type()), tiny = k.real(1e-300, k.f64Type());
    for (int64_t n = 0; n < modes && modes > 1; ++n) {
      Val push = prices.load(priceRow + (pushesAt + spec.modes[n])) * p[n], others = k.real(0, k.f64Type());
      for (int64_t other = 0; other < modes; ++other)
        others = other == n ? others : others + p[other];
      sum = n == m ? sum + push : sum - push * (p[m] / select(others > tiny, others, tiny));
    }
    return sum;
  }

  void emitRow(Val row) const {
    auto modes = static_cast<int64_t>(spec.modes.size());
    Val tau = temperatureOf(k, hyper, spec.type), priceRow = k.argument(4) * ir::pricesPerLayer;
    SmallVector<Val> scaled;
    for (int64_t m = 0; m < modes; ++m)
      scaled.push_back(scaledLogit(row, m, tau));
    SmallVector<Val> logs = logSoftmax(k, scaled), p, e;
    Val sum = k.real(0, k.f64Type());
    for (int64_t m = 0; m < modes; ++m) {
      p.push_back(exp(logs[m]));
      e.push_back(gradientOfLog(row, m, logs[m], p[m], priceRow));
      sum = sum + e[m];
    }
    for (int64_t m = 0; m < modes; ++m)
      dlogits.store(row * modes + m, (e[m] - p[m] * sum + pushed(p, m, priceRow)) / toFloat(tau, k.f64Type()));
  }
};

} // namespace

Kernel getOrEmit(ModuleOp kernels, const SeqRouteGradSpec &spec) {
  std::string symbol =
      symbolOf({"seq_route_grad", nameOf(spec.type), "modes" + nameOf(spec.modes), spec.biasInGate ? "biased" : "",
                spec.gate ? "gate" : "", spec.logp ? "logp" : "", spec.noise ? "noise" : ""});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    SeqRouteGrad gradient(k, spec);
    forEachRow(k, gradient.start, [&](Val row) { gradient.emitRow(row); });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const RouteStatisticsSpec &spec) {
  std::string symbol = symbolOf({"route_statistics", nameOf(spec.type), "modes" + nameOf(spec.modes)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), mode = k.buffer(Elem::I8), wanted = k.buffer(Elem::I8);
    Buffer logp = k.buffer(spec.type), out = k.buffer(Elem::F64);
    auto modes = static_cast<int64_t>(spec.modes.size());
    Val zero = k.real(0, k.f64Type()), one = k.real(1, k.f64Type());
    forEachRow(k, start, [&](Val row) {
      Buffer to = out.at(row * ir::routeStatistics);
      Val admitted = mode.load(row), wish = wanted.load(row), entropy = zero;
      for (int64_t m = 0; m < modeCount; ++m) {
        to.store(k.integer(m), select(wish == m, one, zero));
        to.store(k.integer(modeCount + m), select(admitted == m, one, zero));
        to.store(k.integer(2 * modeCount + m), zero);
      }
      for (int64_t m = 0; m < modes; ++m) {
        Val l = toFloat(logp.load(row * modes + m), k.f64Type()), p = exp(l);
        to.store(k.integer(2 * modeCount + spec.modes[m]), p);
        // A mode that is out of reach has p = 0 and ln p = -infinity: its product is 0.
        entropy = entropy - select(p == zero, zero, p * l);
      }
      to.store(k.integer(3 * modeCount), entropy);
      to.store(k.integer(3 * modeCount + 1), select(admitted == wish, zero, one));
    });
  });
  return {symbol, perRow};
}

} // namespace chimera::ref
