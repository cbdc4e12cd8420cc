// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nvptx/DeviceMath.h"
#include "codegen/nvptx/Route.h"

namespace chimera::nvptx {

namespace {

/// A row of D values as one warp sees it: lane l holds elements l V .. l V + V - 1, then those 32 V further on, and so
/// on. Every sum over the row goes lane by lane in that order and then through GpuBuilder::warpSum.
class RowEmitter {
public:
  RowEmitter(RouteContext &c, Val row)
      : c(c), b(c.b), spec(c.spec), row(row), vector(spec.width % 4 == 0 ? 4 : 1), lane(b.lane()) {
    Val offset = convert(row, b.i64()) * spec.width;
    x = c.p.x.at(offset);
    h = c.p.h.at(offset);
  }
  void emit();

private:
  using Sums = llvm::SmallVector<Val>;
  /// Runs `body` over the lane's elements: the offset of `vector` of them, the sums so far; returns the sums.
  Sums overRow(int64_t count, llvm::function_ref<Sums(Val, llvm::ArrayRef<Val>)> body);
  Val rowSum(const Pointer &from, llvm::function_ref<Val(Val, Val)> add);
  /// mean (null for rms) and 1 / sqrt(mean square + eps).
  struct Scale {
    Val mean, inverse;
  };
  Scale scaleOf(NormKind kind, const Pointer &from);
  Val normalised(NormKind kind, const Scale &scale, Val value, Val weight, Val bias);
  Sums logits();
  Sums addLogits(Val at, llvm::ArrayRef<Val> u, llvm::ArrayRef<Val> sums);
  Val real(double value) { return b.real(value, b.f32()); }
  Val pick(llvm::ArrayRef<Val> values);
  void decide(llvm::ArrayRef<Val> logits);

  RouteContext &c;
  GpuBuilder &b;
  const RouteSpec &spec;
  Val row;
  int64_t vector;
  Val lane;
  Pointer x, h;
};

RowEmitter::Sums RowEmitter::overRow(int64_t count, llvm::function_ref<Sums(Val, llvm::ArrayRef<Val>)> body) {
  Sums zeros(count, real(0));
  return b.loop(lane * vector, b.constant(spec.width), warpLanes * vector, zeros, body);
}

Val RowEmitter::rowSum(const Pointer &from, llvm::function_ref<Val(Val, Val)> add) {
  Sums sum = overRow(1, [&](Val at, llvm::ArrayRef<Val> sums) {
    Val total = sums[0];
    for (Val value : from.at(at).loadVector(vector))
      total = add(total, value);
    return Sums{total};
  });
  return b.warpSum(sum[0]);
}

RowEmitter::Scale RowEmitter::scaleOf(NormKind kind, const Pointer &from) {
  Val count = real(static_cast<double>(spec.width));
  Scale scale;
  if (kind == NormKind::Layer)
    scale.mean = rowSum(from, [](Val sum, Val value) { return sum + value; }) / count;
  Val squares = rowSum(from, [&](Val sum, Val value) {
    Val centred = kind == NormKind::Layer ? value - scale.mean : value;
    return fma(centred, centred, sum);
  });
  scale.inverse = real(1) / sqrt(squares / count + real(spec.epsilon));
  return scale;
}

Val RowEmitter::normalised(NormKind kind, const Scale &scale, Val value, Val weight, Val bias) {
  if (kind == NormKind::Rms)
    return value * scale.inverse * weight;
  return (value - scale.mean) * scale.inverse * weight + bias;
}

RowEmitter::Sums RowEmitter::addLogits(Val at, llvm::ArrayRef<Val> u, llvm::ArrayRef<Val> sums) {
  Sums next(sums);
  for (int64_t k = 0; k < c.modeCount(); ++k) {
    auto weights = c.p.routerWeight.at(at + k * spec.width).loadVector(vector);
    for (int64_t i = 0; i < vector; ++i)
      next[k] = fma(u[i], weights[i], next[k]);
  }
  return next;
}

/// Writes h and returns the router's K sums, in every lane.
RowEmitter::Sums RowEmitter::logits() {
  Scale scale = scaleOf(spec.norm, x);
  bool direct = spec.routerNorm == NormKind::None;
  auto load = [&](const Pointer &from, Val at, bool there) {
    return there ? from.at(at).loadVector(vector) : Sums(vector);
  };
  Sums sums = overRow(direct ? c.modeCount() : 0, [&](Val at, llvm::ArrayRef<Val> carried) {
    Sums values = x.at(at).loadVector(vector), weights = c.p.normWeight.at(at).loadVector(vector);
    Sums biases = load(c.p.normBias, at, spec.norm == NormKind::Layer);
    for (int64_t i = 0; i < vector; ++i)
      values[i] = normalised(spec.norm, scale, values[i], weights[i], biases[i]);
    h.at(at).storeVector(values);
    return direct ? addLogits(at, values, carried) : Sums();
  });
  if (!direct) { // a lane reads the elements of h that it has written itself
    Scale inner = scaleOf(spec.routerNorm, h);
    sums = overRow(c.modeCount(), [&](Val at, llvm::ArrayRef<Val> carried) {
      Sums values = h.at(at).loadVector(vector), weights = c.p.routerNormWeight.at(at).loadVector(vector);
      Sums biases = load(c.p.routerNormBias, at, spec.routerNorm == NormKind::Layer);
      for (int64_t i = 0; i < vector; ++i)
        values[i] = normalised(spec.routerNorm, inner, values[i], weights[i], biases[i]);
      return addLogits(at, values, carried);
    });
  }
  for (Val &sum : sums)
    sum = b.warpSum(sum);
  return sums;
}

/// The value with the lane's number; lanes past the last have the last.
Val RowEmitter::pick(llvm::ArrayRef<Val> values) {
  Val picked = values.back();
  for (int64_t k = c.modeCount() - 2; k >= 0; --k)
    picked = select(lane == k, values[k], picked);
  return picked;
}

/// s = l + b; wanted = argmax s; ln p = q - max - ln(sum e^(q - max)) in f64, lane k doing mode k's exponential.
void RowEmitter::decide(llvm::ArrayRef<Val> logits) {
  int64_t modes = c.modeCount();
  Sums shifted, scaled;
  for (int64_t k = 0; k < modes; ++k) {
    shifted.push_back(logits[k] + c.p.bias.at(k).load());
    Val q = spec.biasInGate ? shifted[k] : logits[k];
    scaled.push_back(spec.temperature == 1 ? q : q / real(spec.temperature));
  }
  Val wanted = c.modeId(0), best = shifted[0], most = scaled[0];
  for (int64_t k = 1; k < modes; ++k) {
    Val better = shifted[k] > best; // the first of equals stays
    wanted = select(better, c.modeId(k), wanted);
    best = select(better, shifted[k], best);
    most = max(scaled[k], most);
  }
  Val distance = convert(pick(scaled), b.f64()) - convert(most, b.f64());
  Val term = exponential(distance);
  Val total = b.shuffleFrom(term, b.constant(0));
  for (int64_t k = 1; k < modes; ++k)
    total = total + b.shuffleFrom(term, b.constant(k));
  Val logp = distance - logarithm(total);
  Val probability = exponential(logp), mine = pick(logits);
  b.ifThen(lane < modes, [&] {
    Val at = row * modes + lane;
    c.p.logits.store(at, mine);
    c.p.logp.store(at, convert(logp, b.f32()));
    if (spec.gateIsProbability)
      c.p.probability.store(at, convert(probability, b.f32()));
  });
  b.ifThen(lane == 0, [&] { c.p.mode.store(row, convert(wanted, b.i8())); });
}

void RowEmitter::emit() {
  decide(logits());
}

} // namespace

void emitRouteRow(RouteContext &c, Val row) {
  RowEmitter(c, row).emit();
}

} // namespace chimera::nvptx
