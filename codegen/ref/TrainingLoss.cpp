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
  return symbolOf(
      {name, nameOf(spec.operand), nameOf(spec.type), std::to_string(spec.inputs) + "x" + std::to_string(spec.vocab)});
}

Kernel getOrEmit(ModuleOp kernels, const CrossEntropySpec &spec) {
  std::string symbol = symbolFor("cross_entropy", spec);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer targets = k.buffer(Elem::I32), x = k.buffer(spec.operand), w = k.buffer(spec.operand);
    Buffer lse = k.buffer(spec.type), scores = k.buffer(Elem::F64);
    Type f64 = k.f64Type();
    forEachRow(k, rows.start, [&](Val row) {
      Buffer in = x.at(row * spec.inputs);
      Val target = targets.load(rowId(rows, row));
      auto logit = [&](Val v) { return toFloat(dot(k, in, w.at(v * spec.inputs), spec.inputs, spec.type), f64); };
      Val lowest = k.real(-std::numeric_limits<double>::infinity(), f64), zero = k.real(0, f64);
      auto found =
          k.foldMany(k.integer(0), k.integer(spec.vocab), {lowest, k.integer(0), zero}, [&](Val v, ArrayRef<Val> best) {
            Val l = logit(v), better = l > best[0];
            return SmallVector<Val>{select(better, l, best[0]), select(better, v, best[1]),
                                    select(v == target, l, best[2])};
          });
      Val greatest = found[0];
      Val sum = k.fold(0, spec.vocab, zero, [&](Val v, Val s) { return s + exp(logit(v) - greatest); });
      Val logSum = greatest + log(sum);
      lse.store(row, logSum);
      scores.store(row * 2, logSum - found[2]);
      scores.store(row * 2 + 1, select(found[1] == target, k.real(1, f64), zero));
    });
  });
  return {symbol, perRow};
}

namespace {

/// The gradient by one logit of one row.
struct LogitGrad {
  KernelBuilder &k;
  int64_t inputs;
  Scalar type;
  Buffer w, lse;
  Val scale;

  /// `in`: the row of x.
  Val at(Val row, const Buffer &in, Val v, Val target) const {
    Type f64 = k.f64Type();
    Val l = toFloat(dot(k, in, w.at(v * inputs), inputs, type), f64);
    Val p = exp(l - toFloat(lse.load(row), f64));
    return toFloat(select(v == target, p - k.real(1, f64), p) * scale, k.floatType(type));
  }
};

} // namespace

static Val lossScale(const Buffer &hyper) {
  return hyper.load(static_cast<int64_t>(Hyper::LossScale));
}

Kernel getOrEmit(ModuleOp kernels, const CrossEntropyInputGradSpec &spec) {
  std::string symbol = symbolFor("cross_entropy_input_grad", spec);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer targets = k.buffer(Elem::I32), hyper = k.buffer(Elem::F64), x = k.buffer(spec.operand);
    Buffer w = k.buffer(spec.operand), lse = k.buffer(spec.type), dx = k.buffer(spec.type);
    LogitGrad gradient{k, spec.inputs, spec.type, w, lse, lossScale(hyper)};
    forEachRow(k, rows.start, [&](Val row) {
      Buffer in = x.at(row * spec.inputs), to = dx.at(row * spec.inputs);
      Val target = targets.load(rowId(rows, row));
      fillZero(k, to, k.integer(0), k.integer(spec.inputs), spec.type);
      k.forEach(0, spec.vocab, [&](Val v) {
        Val g = gradient.at(row, in, v, target);
        Buffer weights = w.at(v * spec.inputs);
        k.forEach(0, spec.inputs, [&](Val c) { to.store(c, fma(g, weights.load(c), to.load(c))); });
      });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const CrossEntropyWeightGradSpec &spec) {
  std::string symbol = symbolFor("cross_entropy_weight_grad", spec);
  int64_t most = std::min(spec.inputs, stripColumns);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer leaves = k.buffer(Elem::I32);
    Rows rows = k.rows();
    Buffer targets = k.buffer(Elem::I32), hyper = k.buffer(Elem::F64), x = k.buffer(spec.operand);
    Buffer w = k.buffer(spec.operand), lse = k.buffer(spec.type), dw = k.buffer(spec.type);
    LogitGrad gradient{k, spec.inputs, spec.type, w, lse, lossScale(hyper)};
    // One strip at a time of a row of dw; what the gradient by the logit costs is paid once a strip.
    auto emitStrip = [&](Val v, Val first) {
      Val width = min(k.integer(spec.inputs) - first, k.integer(most)), none = k.integer(0);
      Buffer total = sumOverLeaves(k, leaves, spec.type, most, width, [&](Val sequence, const Buffer &sums) {
        forEachRowOf(k, rows.start, sequence, [&](Val row) {
          Buffer in = x.at(row * spec.inputs), part = in.at(first);
          Val g = gradient.at(row, in, v, targets.load(rowId(rows, row)));
          k.forEach(none, width, [&](Val c) { sums.store(c, fma(g, part.load(c), sums.load(c))); });
        });
      });
      Buffer to = dw.at(v * spec.inputs + first);
      k.forEach(none, width, [&](Val c) { to.store(c, total.load(c)); });
    };
    k.forEach(k.begin(), k.end(), [&](Val v) {
      k.forEach(k.integer(0), k.integer(spec.inputs), [&](Val first) { emitStrip(v, first); }, most);
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/spec.vocab}};
}

} // namespace chimera::ref
