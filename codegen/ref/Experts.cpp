// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Experts of a feed-forward network: who takes which, and what they put out, weighted; and the gradients of both.
#include "codegen/ref/Kernels.h"
#include "codegen/ref/Math.h"
#include "codegen/ref/TrainingKernels.h"
#include "codegen/ref/TrainingSupport.h"

#include <limits>

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

static constexpr Grid perRow{/*tokens=*/1};
static constexpr Grid oneBlock{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/1};

/// Added to the sum of the chosen sigmoids, all of which may have underflown.
static constexpr double leastSum = 1e-20;

static std::string nameOf(ExpertScore score) {
  return score == ExpertScore::Softmax ? "softmax" : "sigmoid";
}

namespace {

/// The scores of one row's experts, in f64.
class Scores {
public:
  Scores(KernelBuilder &k, ExpertScore score, int64_t experts, const Buffer &logits, const Buffer &chosen)
      : k(k), score(score), experts(experts), logits(logits), chosen(chosen) {}

  Val isChosen(Val e) const { return chosen.load(e) == 1; }

  /// The sum of what `term` makes of experts, all or those that are chosen.
  Val sum(bool chosenOnly, function_ref<Val(Val)> term) const {
    Val zero = k.real(0, k.f64Type());
    return k.fold(0, experts, zero,
                  [&](Val e, Val sum) { return sum + (chosenOnly ? select(isChosen(e), term(e), zero) : term(e)); });
  }

  /// Looks at the experts that the softmax is over, before `of`.
  void prepare(bool chosenOnly) {
    if (score == ExpertScore::Sigmoid)
      return;
    Val least = k.real(-std::numeric_limits<double>::infinity(), k.f64Type());
    largest = k.fold(0, experts, least, [&](Val e, Val most) {
      Val l = logit(e), better = l > most;
      return select(chosenOnly ? better & isChosen(e) : better, l, most);
    });
    total = sum(chosenOnly, [&](Val e) { return exp(logit(e) - largest); });
  }

  Val of(Val e) const { return score == ExpertScore::Sigmoid ? sigmoid(logit(e)) : exp(logit(e) - largest) / total; }

private:
  Val logit(Val e) const { return toFloat(logits.load(e), k.f64Type()); }

  KernelBuilder &k;
  ExpertScore score;
  int64_t experts;
  Buffer logits, chosen;
  Val largest, total;
};

} // namespace

/// Marks the experts of one row, the best first.
static void choose(KernelBuilder &k, const RouteExpertsSpec &spec, const Scores &scores, const Buffer &logits,
                   const Buffer &bias, const Buffer &chosen) {
  auto keyOf = [&](Val e) {
    return spec.biased ? scores.of(e) + toFloat(bias.load(e), k.f64Type()) : toFloat(logits.load(e), k.f64Type());
  };
  k.forEach(0, spec.experts, [&](Val e) { chosen.store(e, k.integer(0)); });
  k.forEach(0, spec.count, [&](Val) {
    SmallVector<Val> best = k.foldMany(k.integer(0), k.integer(spec.experts), {k.integer(-1), k.real(0, k.f64Type())},
                                       [&](Val e, ArrayRef<Val> carried) -> SmallVector<Val> {
                                         Val key = keyOf(e), isOpen = chosen.load(e) == 0;
                                         Val better = isOpen & ((carried[0] < 0) | (key > carried[1]));
                                         return {select(better, e, carried[0]), select(better, key, carried[1])};
                                       });
    chosen.store(best[0], k.integer(1));
  });
}

Kernel getOrEmit(ModuleOp kernels, const RouteExpertsSpec &spec) {
  std::string symbol =
      symbolOf({"route_experts", nameOf(spec.type), std::to_string(spec.count) + "of" + std::to_string(spec.experts),
                nameOf(spec.score), spec.normalized ? "normalized" : "", spec.biased ? "biased" : "",
                "scale" + nameOf(spec.scale)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), logits = k.buffer(spec.type);
    Buffer bias = spec.biased ? k.buffer(spec.type) : Buffer();
    Buffer chosen = k.buffer(Elem::I8), weights = k.buffer(spec.type);
    forEachRow(k, start, [&](Val row) {
      Val first = row * spec.experts;
      Scores scores(k, spec.score, spec.experts, logits.at(first), chosen.at(first));
      if (spec.biased)
        scores.prepare(/*chosenOnly=*/false);
      choose(k, spec, scores, logits.at(first), bias, chosen.at(first));
      scores.prepare(spec.normalized);
      Val scale = k.real(spec.scale, k.f64Type()), sum;
      if (spec.normalized && spec.score == ExpertScore::Sigmoid)
        sum = scores.sum(/*chosenOnly=*/true, [&](Val e) { return scores.of(e); }) + k.real(leastSum, k.f64Type());
      k.forEach(0, spec.experts, [&](Val e) {
        Val weight = sum.builder ? scale * scores.of(e) / sum : scale * scores.of(e);
        weights.store(first + e,
                      select(scores.isChosen(e), toFloat(weight, k.floatType(spec.type)), k.real(0, spec.type)));
      });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const DispatchExpertsSpec &spec) {
  std::string symbol = symbolOf({"dispatch_experts", std::to_string(spec.experts)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer chosen = k.buffer(Elem::I8), index = k.buffer(Elem::I32);
    int64_t firstStart = k.buffersTaken();
    k.forEach(k.begin(), k.end(), [&](Val) {
      k.fold(0, spec.experts, k.integer(0), [&](Val expert, Val offset) {
        Buffer start = k.bufferAt(expert + firstStart, Elem::I32);
        Val end = k.fold(k.integer(0), k.sequences(), offset, [&](Val sequence, Val sequenceStart) {
          start.store(sequence, sequenceStart);
          return k.fold(rows.start.load(sequence), rows.start.load(sequence + 1), sequenceStart, [&](Val j, Val next) {
            Val row = rows.index.load(j);
            Val here = chosen.load(row * spec.experts + expert) == 1;
            k.when(here, [&] { index.store(next, row); });
            return select(here, next + 1, next);
          });
        });
        start.store(k.sequences(), end);
        return end;
      });
    });
  });
  return {symbol, oneBlock};
}

Kernel getOrEmit(ModuleOp kernels, const AddExpertSpec &spec) {
  std::string symbol =
      symbolOf({"add_expert", nameOf(spec.type), std::to_string(spec.width), "of" + std::to_string(spec.experts)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer outputs = k.buffer(spec.type), weights = k.buffer(spec.type), y = k.buffer(spec.type);
    forEachRow(k, rows.start, [&](Val row) {
      Val id = rowId(rows, row), weight = weights.load(id * spec.experts + k.argument(4));
      Buffer from = outputs.at(row * spec.width), to = y.at(id * spec.width);
      k.forEach(0, spec.width, [&](Val c) { to.store(c, to.load(c) + weight * from.load(c)); });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const ZerosSpec &spec) {
  std::string symbol = symbolOf({"zeros", nameOf(spec.type), std::to_string(spec.width)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), out = k.buffer(spec.type);
    forEachRow(k, start, [&](Val row) { fillZero(k, out, row * spec.width, (row + 1) * spec.width, spec.type); });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const RouteExpertsGradSpec &spec) {
  std::string symbol =
      symbolOf({"route_experts_grad", nameOf(spec.type), std::to_string(spec.experts), nameOf(spec.score),
                spec.normalized ? "normalized" : "", "scale" + nameOf(spec.scale)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), logits = k.buffer(spec.type), chosen = k.buffer(Elem::I8);
    Buffer dweights = k.buffer(spec.type), dlogits = k.buffer(spec.type);
    bool isSoftmax = spec.score == ExpertScore::Softmax;
    Val zero = k.real(0, k.f64Type()), one = k.real(1, k.f64Type()), scale = k.real(spec.scale, k.f64Type());
    forEachRow(k, start, [&](Val row) {
      Val first = row * spec.experts;
      Scores scores(k, spec.score, spec.experts, logits.at(first), chosen.at(first));
      scores.prepare(spec.normalized);
      auto gradient = [&](Val e) { return scale * toFloat(dweights.load(first + e), k.f64Type()); };
      Val divisor = one, mean = zero;
      if (spec.normalized && !isSoftmax)
        divisor = scores.sum(/*chosenOnly=*/true, [&](Val e) { return scores.of(e); }) + k.real(leastSum, k.f64Type());
      if (spec.normalized || isSoftmax)
        mean = scores.sum(/*chosenOnly=*/true, [&](Val e) { return gradient(e) * scores.of(e); }) / divisor;
      k.forEach(0, spec.experts, [&](Val e) {
        Val s = scores.of(e), own = select(scores.isChosen(e), gradient(e), zero);
        Val slope = isSoftmax ? s : s * (one - s) / divisor;
        Val d = slope * (own - mean);
        // Softmax over all moves the chosen ones with every logit; else an expert that is not chosen has no part.
        if (spec.normalized || !isSoftmax)
          d = select(scores.isChosen(e), d, zero);
        dlogits.store(first + e, toFloat(d, k.floatType(spec.type)));
      });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const AddExpertGradSpec &spec) {
  std::string symbol =
      symbolOf({"add_expert_grad", nameOf(spec.type), std::to_string(spec.width), "of" + std::to_string(spec.experts)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer dy = k.buffer(spec.type), outputs = k.buffer(spec.type), weights = k.buffer(spec.type);
    Buffer doutputs = k.buffer(spec.type), dweight = k.buffer(spec.type);
    forEachRow(k, rows.start, [&](Val row) {
      Val id = rowId(rows, row), weight = weights.load(id * spec.experts + k.argument(4));
      Buffer upstream = dy.at(id * spec.width), output = outputs.at(row * spec.width),
             to = doutputs.at(row * spec.width);
      k.forEach(0, spec.width, [&](Val c) { to.store(c, weight * upstream.load(c)); });
      dweight.store(row, dot(k, upstream, output, spec.width, spec.type));
    });
  });
  return {symbol, perRow};
}

} // namespace chimera::ref
