// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/Math.h"
#include "codegen/ref/TrainingKernels.h"
#include "codegen/ref/TrainingSupport.h"

#include <algorithm>
#include <limits>

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

static constexpr Grid perRow{/*tokens=*/1};
/// Columns of the weights' gradient that are summed at once.
static constexpr int64_t stripColumns = 1024;

template <typename Spec> static std::string symbolFor(const char *name, const Spec &spec) {
  return symbolOf({name, nameOf(spec.operand), nameOf(spec.type),
                   std::to_string(spec.inputs) + "x" + std::to_string(spec.vocab), capName(spec.softCap)});
}

/// The logits of `count` neighbours of the vocabulary, from v on, capped.
template <typename Spec>
static SmallVector<Val> logitsOf(KernelBuilder &k, const Buffer &in, const Buffer &w, Val v, int64_t count,
                                 const Spec &spec) {
  SmallVector<Buffer> weights;
  for (int64_t i = 0; i < count; ++i)
    weights.push_back(w.at((v + i) * spec.inputs));
  SmallVector<Val> logits = dots(k, in, weights, spec.inputs, spec.type);
  for (Val &logit : logits)
    logit = softCap(logit, spec.softCap);
  return logits;
}

/// to[c] = fma(factors[i], rows[i][c], ...) for each i in order, c < width.
static void addScaled(KernelBuilder &k, const Buffer &to, ArrayRef<Val> factors, ArrayRef<Buffer> rows, Val width) {
  k.forEach(k.integer(0), width, [&](Val c) {
    Val sum = to.load(c);
    for (auto [factor, row] : llvm::zip_equal(factors, rows))
      sum = fma(factor, row.load(c), sum);
    to.store(c, sum);
  });
}

Kernel getOrEmit(ModuleOp kernels, const CrossEntropySpec &spec) {
  std::string symbol = symbolFor("cross_entropy", spec);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer targets = k.buffer(Elem::I32), x = k.buffer(spec.operand), w = k.buffer(spec.operand);
    Buffer lse = k.buffer(spec.type), scores = k.buffer(Elem::F64);
    Type f64 = k.f64Type();
    Val lowest = k.real(-std::numeric_limits<double>::infinity(), f64), zero = k.real(0, f64);
    forEachRow(k, rows.start, [&](Val row) {
      Buffer in = x.at(row * spec.inputs);
      Val target = targets.load(rowId(rows, row));
      // Folds over the logits, in order.
      auto foldLogits = [&](ArrayRef<Val> initial, function_ref<SmallVector<Val>(Val, Val, ArrayRef<Val>)> body) {
        auto group = [&](Val first, int64_t count, ArrayRef<Val> carried) {
          SmallVector<Val> state(carried.begin(), carried.end());
          for (auto [i, l] : llvm::enumerate(logitsOf(k, in, w, first, count, spec)))
            state = body(first + static_cast<int64_t>(i), toFloat(l, f64), state);
          return state;
        };
        return foldGroups(k, k.integer(0), k.integer(spec.vocab), initial, group);
      };
      auto found = foldLogits({lowest, k.integer(0), zero}, [&](Val v, Val l, ArrayRef<Val> best) {
        Val better = l > best[0];
        return SmallVector<Val>{select(better, l, best[0]), select(better, v, best[1]),
                                select(v == target, l, best[2])};
      });
      Val greatest = found[0];
      Val sum = foldLogits({zero},
                           [&](Val, Val l, ArrayRef<Val> s) { return SmallVector<Val>{s[0] + exp(l - greatest)}; })[0];
      Val logSum = greatest + log(sum);
      lse.store(row, logSum);
      scores.store(row * 2, logSum - found[2]);
      scores.store(row * 2 + 1, select(found[1] == target, k.real(1, f64), zero));
    });
  });
  return {symbol, perRow};
}

/// The gradient by a logit before it was capped, rounded to the operands' type.
template <typename Spec> static Val logitGrad(Val logit, Val lse, Val isTarget, Val scale, const Spec &spec) {
  KernelBuilder &k = *logit.builder;
  Type f64 = k.f64Type();
  Val wide = toFloat(logit, f64), p = exp(wide - toFloat(lse, f64));
  Val g = throughSoftCap(select(isTarget, p - k.real(1, f64), p) * scale, wide, spec.softCap);
  return spec.operand == Scalar::BF16 ? toFloat(widenBF16(narrowBF16(g)), logit.value.getType())
                                      : toFloat(g, logit.value.getType());
}

static Val lossScale(const Buffer &hyper) {
  return hyper.load(static_cast<int64_t>(Hyper::LossScale));
}

Kernel getOrEmit(ModuleOp kernels, const CrossEntropyInputGradSpec &spec) {
  std::string symbol = symbolFor("cross_entropy_input_grad", spec);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer targets = k.buffer(Elem::I32), hyper = k.buffer(Elem::F64), x = k.buffer(spec.operand);
    Buffer w = k.buffer(spec.operand), lse = k.buffer(spec.type), dx = k.buffer(spec.type);
    Val scale = lossScale(hyper);
    forEachRow(k, rows.start, [&](Val row) {
      Buffer in = x.at(row * spec.inputs), to = dx.at(row * spec.inputs);
      Val target = targets.load(rowId(rows, row)), logSum = lse.load(row);
      fillZero(k, to, k.integer(0), k.integer(spec.inputs), spec.type);
      foldGroups(k, k.integer(0), k.integer(spec.vocab), {}, [&](Val first, int64_t count, ArrayRef<Val>) {
        SmallVector<Val> factors = logitsOf(k, in, w, first, count, spec);
        SmallVector<Buffer> weights;
        for (int64_t i = 0; i < count; ++i) {
          Val v = first + i;
          factors[i] = logitGrad(factors[i], logSum, v == target, scale, spec);
          weights.push_back(w.at(v * spec.inputs));
        }
        addScaled(k, to, factors, weights, k.integer(spec.inputs));
        return SmallVector<Val>();
      });
    });
  });
  return {symbol, perRow};
}

namespace {

struct WeightGrad {
  KernelBuilder &k;
  const CrossEntropyWeightGradSpec &spec;
  Rows rows;
  Buffer targets, x, w, lse;
  Val scale;

  /// Adds to sums[c] what a sequence's rows give to column first + c of row v of dw, c < width.
  void addSequence(Val sequence, Val v, Val first, Val width, const Buffer &sums) const {
    Val base = rows.start.load(0);
    Val begin = rows.start.load(sequence) - base, end = rows.start.load(sequence + 1) - base;
    Buffer weights = w.at(v * spec.inputs);
    foldGroups(k, begin, end, {}, [&](Val row, int64_t count, ArrayRef<Val>) {
      SmallVector<Buffer> inputs, parts;
      for (int64_t i = 0; i < count; ++i) {
        inputs.push_back(x.at((row + i) * spec.inputs));
        parts.push_back(inputs[i].at(first));
      }
      SmallVector<Val> factors = dots(k, weights, inputs, spec.inputs, spec.type);
      for (int64_t i = 0; i < count; ++i) {
        Val isTarget = targets.load(rowId(rows, row + i)) == v, logit = softCap(factors[i], spec.softCap);
        factors[i] = logitGrad(logit, lse.load(row + i), isTarget, scale, spec);
      }
      addScaled(k, sums, factors, parts, width);
      return SmallVector<Val>();
    });
  }
};

} // namespace

Kernel getOrEmit(ModuleOp kernels, const CrossEntropyWeightGradSpec &spec) {
  std::string symbol = symbolFor("cross_entropy_weight_grad", spec);
  int64_t most = std::min(spec.inputs, stripColumns);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer leaves = k.buffer(Elem::I32);
    Rows rows = k.rows();
    Buffer targets = k.buffer(Elem::I32), hyper = k.buffer(Elem::F64), x = k.buffer(spec.operand);
    Buffer w = k.buffer(spec.operand), lse = k.buffer(spec.type), dw = k.buffer(spec.type);
    WeightGrad gradient{k, spec, rows, targets, x, w, lse, lossScale(hyper)};
    // One strip at a time of a row of dw; what the gradient by the logit costs is paid once a strip.
    auto emitStrip = [&](Val v, Val first) {
      Val width = min(k.integer(spec.inputs) - first, k.integer(most));
      Buffer total = sumOverLeaves(k, leaves, spec.type, most, width, [&](Val sequence, const Buffer &sums) {
        gradient.addSequence(sequence, v, first, width, sums);
      });
      Buffer to = dw.at(v * spec.inputs + first);
      k.forEach(k.integer(0), width, [&](Val c) { to.store(c, total.load(c)); });
    };
    k.forEach(k.begin(), k.end(), [&](Val v) {
      k.forEach(k.integer(0), k.integer(spec.inputs), [&](Val first) { emitStrip(v, first); }, most);
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/spec.vocab}};
}

} // namespace chimera::ref
