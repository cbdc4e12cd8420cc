// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingLoss.h"

#include "codegen/cpu/LinearPanel.h"
#include "codegen/cpu/Math.h"
#include "codegen/cpu/TrainingTiles.h"
#include "codegen/ref/Math.h"
#include "codegen/ref/TrainingSupport.h"

#include <limits>

using namespace mlir;

namespace chimera::cpu {

/// Rows of a block at most; as many share each panel of weights while it is near.
static constexpr int64_t mostRows = 4 * panelRows;
/// Blocks that are wanted at least, for the threads to share.
static constexpr int64_t leastBlocks = 8;

static MicroSpec microOf(const Isa &isa, const CrossEntropySpec &spec) {
  bool half = spec.operand == Scalar::BF16;
  return {isa.lanes, spec.operand, half ? WeightFormat::BF16 : WeightFormat::F32, trainingPanel(isa.lanes, spec.vocab),
          half && (isa.dotBF16 || isa.tileBF16)};
}

PackedLayout lossLayout(const Isa &isa, const CrossEntropySpec &spec) {
  MicroSpec micro = microOf(isa, spec);
  return {micro.weight, micro.panel, micro.weight == WeightFormat::BF16 ? 2 : 1, false};
}

namespace {

/// The body of the forward kernel.
class CrossEntropy {
public:
  CrossEntropy(KernelBuilder &k, const CrossEntropySpec &spec, const MicroSpec &micro)
      : k(k), spec(spec), micro(micro), rows(k.rows()), targets(k.buffer(Elem::I32)), x(k.buffer(spec.operand)),
        weights(k.buffer(Elem::I8)), lse(k.buffer(Elem::F32)), scores(k.buffer(Elem::F64)),
        offsets(k.scratch(Elem::I64, mostRows)), tile(k.scratch(Elem::F32, panelRows * micro.panel)),
        greatestOf(k.scratch(Elem::F32, mostRows)), sumOf(k.scratch(Elem::F64, mostRows)),
        bestOf(k.scratch(Elem::I32, mostRows)), targetOf(k.scratch(Elem::I32, mostRows)),
        logitOf(k.scratch(Elem::F32, mostRows)) {}

  void build() {
    Val count = k.rowCount(rows.start), share = (count + (leastBlocks - 1)) / leastBlocks;
    Val size = min(max(share, k.integer(panelRows)), k.integer(mostRows));
    k.forEach(k.begin(), min(k.end(), (count + size - 1) / size), [&](Val block) {
      Val first = block * size, here = min(count - first, size);
      begin(first, here);
      int64_t panels = (spec.vocab + micro.panel - 1) / micro.panel;
      k.forEach(0, panels, [&](Val panel) { addPanel(here, panel); });
      k.forEach(k.integer(0), here, [&](Val i) { finish(first + i, i); });
    });
  }

private:
  void begin(Val first, Val count) {
    Val lowest = k.real(-std::numeric_limits<double>::infinity(), Scalar::F32), zero = k.real(0, Scalar::F64);
    k.forEach(k.integer(0), count, [&](Val i) {
      offsets.store(i, (first + i) * spec.inputs);
      greatestOf.store(i, lowest);
      sumOf.store(i, zero);
      bestOf.store(i, k.integer(0));
      targetOf.store(i, targets.load(ref::rowId(rows, first + i)));
      logitOf.store(i, k.real(0, Scalar::F32));
    });
  }

  void addPanel(Val count, Val panel) {
    Buffer from = weights.at(panel * panelBytes(micro.weight, micro.panel, spec.inputs));
    func::FuncOp product = emitRowsTimesPanel(k.module, micro);
    k.forEach(
        k.integer(0), count,
        [&](Val first) {
          Val here = min(count - first, k.integer(panelRows));
          k.call(product, {x.base(), offsets.at(first).base(), here, from.base(), k.integer(spec.inputs), tile.base()});
          Val column = panel * micro.panel;
          k.forEach(k.integer(0), here, [&](Val i) { addLogits(first + i, tile.at(i * micro.panel), column); });
        },
        panelRows);
  }

  /// Takes in the logits of a row for the words from `column` on.
  void addLogits(Val i, const Buffer &logits, Val column) {
    SmallVector<Val> l;
    Val lowest = k.real(-std::numeric_limits<double>::infinity(), k.vectorType(k.f32Type(), micro.lanes));
    for (int64_t at = 0; at < micro.panel; at += micro.lanes) {
      Val vector = logits.loadVector(k.integer(at), micro.lanes);
      if (spec.softCap) {
        vector = softCap(vector, spec.softCap);
        logits.storeVector(k.integer(at), vector); // the target's, and the best word's, are read again
      }
      if (spec.vocab % micro.panel != 0)
        vector = select(lanesBelow(k.integer(spec.vocab - at) - column, micro.lanes), vector, lowest);
      l.push_back(vector);
    }
    Val peak = reduceGreatest(combined(l, greatest)), old = greatestOf.load(i), rises = peak > old;
    k.when(rises, [&] { raise(i, logits, column, old, peak); });
    Val now = select(rises, peak, old);
    for (Val &vector : l)
      vector = exp(vector - splat(now, micro.lanes));
    Val sum = reduceSum(combined(l, [](Val a, Val b) { return a + b; }));
    sumOf.store(i, sumOf.load(i) + toFloat(sum, k.f64Type()));
    Val place = targetOf.load(i) - column;
    k.when((k.integer(0) <= place) & (place < k.integer(micro.panel)), [&] { logitOf.store(i, logits.load(place)); });
  }

  /// The vectors of a panel as one, pairwise.
  static Val combined(SmallVector<Val> vectors, function_ref<Val(Val, Val)> combine) {
    for (size_t half = vectors.size() / 2; half > 0; half /= 2)
      for (size_t i = 0; i < half; ++i)
        vectors[i] = combine(vectors[i], vectors[i + half]);
    return vectors[0];
  }

  /// A new greatest logit: the first that is equal to it is the best word so far.
  void raise(Val i, const Buffer &logits, Val column, Val old, Val peak) {
    greatestOf.store(i, peak);
    sumOf.store(i, sumOf.load(i) * toFloat(exp(old - peak), k.f64Type()));
    Val none = k.integer(spec.vocab), count = min(none - column, k.integer(micro.panel));
    Val best = k.fold(k.integer(0), count, none,
                      [&](Val c, Val found) { return min(found, select(logits.load(c) == peak, column + c, none)); });
    bestOf.store(i, best);
  }

  void finish(Val row, Val i) {
    Type f64 = k.f64Type();
    Val logSum = toFloat(greatestOf.load(i), f64) + ref::log(sumOf.load(i));
    lse.store(row, logSum);
    scores.store(row * 2, logSum - toFloat(logitOf.load(i), f64));
    scores.store(row * 2 + 1, select(bestOf.load(i) == targetOf.load(i), k.real(1, f64), k.real(0, f64)));
  }

  KernelBuilder &k;
  const CrossEntropySpec &spec;
  const MicroSpec &micro;
  Rows rows;
  Buffer targets, x, weights, lse, scores, offsets, tile, greatestOf, sumOf, bestOf, targetOf, logitOf;
};

} // namespace

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const CrossEntropySpec &spec) {
  MicroSpec micro = microOf(isa, spec);
  std::string symbol =
      symbolOf({"cpu_cross_entropy", nameOf(spec.operand),
                std::to_string(spec.inputs) + "x" + std::to_string(spec.vocab), capName(spec.softCap)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) { CrossEntropy(k, spec, micro).build(); });
  return {symbol, Grid{/*tokens=*/1, /*seqs=*/0, /*outputs=*/0, /*constant=*/panelRows - 1, /*divisor=*/panelRows}};
}

} // namespace chimera::cpu
