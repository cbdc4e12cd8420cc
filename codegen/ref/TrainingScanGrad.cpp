// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The gradients of the scans. A block of a Mamba-2 scan's rows is computed again from the state kept before it, so that
// the states before all its rows are there; then its rows are walked from the last to the first. With S the state
// before a row, N = a S + d x B^T, y = N C + D x, and G the gradient by the state after it (N if the row is kept, else
// S):
//   dN = dy C^T (+ G if kept),   dx = D dy + d dN B,   dB = d dN^T x,   dC = N^T dy,
//   d(loss)/da = <dN, S>,   d(loss)/dd = x^T dN B + r a d(loss)/da with a = exp(r d),   and G of the row before is
//   a dN (+ G if not kept).
#include "codegen/ref/TrainingScanSupport.h"

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

static constexpr Grid perSequence{/*tokens=*/0, /*seqs=*/1};

/// Calls `body` with high-1, high-2, ..., low.
static void forEachDown(KernelBuilder &k, Val low, Val high, function_ref<void(Val)> body) {
  k.forEach(low, high, [&](Val i) { body(high - 1 - (i - low)); });
}

namespace {

struct SsmGrad {
  SsmOperands in;
  KernelBuilder &k;
  const SeqSsmScanSpec &spec;
  Buffer dy, dxbc, ddt, dRate, dSkip, dwrite;
  Buffer upstream;       // G of one head: [headSize][stateSize]
  Buffer before;         // the states before the rows of a block, of one dimension: [32][stateSize]
  Buffer sizes, decays;  // d and a of the rows of a block
  Buffer dSizes, dDecay; // their gradients, a's without what it does to d's

  SsmGrad(KernelBuilder &k, const SeqSsmScanSpec &spec) : in(k, spec), k(k), spec(spec) {
    for (Buffer *buffer : {&dy, &dxbc, &ddt, &dRate, &dSkip})
      *buffer = k.buffer(spec.type);
    if (spec.weighted)
      dwrite = k.buffer(spec.type);
    Elem elem = elemOf(spec.type);
    upstream = k.scratch(elem, spec.headSize * spec.stateSize);
    before = k.scratch(elem, scanBlockRows * spec.stateSize);
    for (Buffer *buffer : {&sizes, &decays, &dSizes, &dDecay})
      *buffer = k.scratch(elem, scanBlockRows);
  }

  Val zero() const { return k.real(0, spec.type); }
  Val none() const { return k.integer(0); }

  /// a S + d x B^T at one dimension and one element of the state.
  Val next(Val input, Val b, Val decay, Val state) const { return fma(input, b, decay * state); }

  /// Fills `before` with the states of dimension p before each of a block's `count` rows; the first row is `row`, and
  /// `isFirst` says that it begins its sequence.
  void computeStates(Val row, Val count, Val isFirst, Val head, Val p) const {
    int64_t size = spec.stateSize;
    k.either(
        isFirst, [&] { fillZero(k, before, none(), k.integer(size), spec.type); },
        [&] {
          Buffer kept = in.stateBefore(row).at((head * spec.headSize + p) * size);
          k.forEach(0, size, [&](Val n) { before.store(n, kept.load(n)); });
        });
    k.forEach(none(), count - 1, [&](Val i) {
      Buffer columns = in.xbc.at((row + i) * in.width()), b = columns.at(in.bColumn(head));
      Val input = sizes.load(i) * columns.load(in.xColumn(head) + p), decay = decays.load(i);
      Val kept = spec.masked ? in.isKept(row + i) : Val();
      k.forEach(0, size, [&](Val n) {
        Val old = before.load(i * size + n), state = next(input, b.load(n), decay, old);
        before.store((i + 1) * size + n, spec.masked ? select(kept, state, old) : state);
      });
    });
  }

  /// The way back through dimension p of the i-th row of a block, compact row `row`.
  void backRow(Val row, Val i, Val head, Val p) const {
    int64_t size = spec.stateSize;
    Buffer columns = in.xbc.at(row * in.width()), gradients = dxbc.at(row * in.width());
    Buffer b = columns.at(in.bColumn(head)), c = columns.at(in.cColumn(head));
    Buffer db = gradients.at(in.bColumn(head)), dc = gradients.at(in.cColumn(head));
    Buffer states = before.at(i * size), flow = upstream.at(p * size);
    Val xPlace = in.xColumn(head) + p, x = columns.load(xPlace), g = dy.load(row * in.inner() + xPlace);
    Val d = sizes.load(i), decay = decays.load(i), input = d * x;
    Val kept = spec.masked ? in.isKept(row) : Val();
    auto sums = k.foldMany(none(), k.integer(size), {zero(), dDecay.load(i)}, [&](Val n, ArrayRef<Val> sum) {
      Val old = states.load(n), later = flow.load(n);
      Val dNext = fma(g, c.load(n), spec.masked ? select(kept, later, zero()) : later);
      dc.store(n, fma(g, next(input, b.load(n), decay, old), dc.load(n)));
      db.store(n, fma(input, dNext, db.load(n)));
      Val earlier = decay * dNext;
      flow.store(n, spec.masked ? select(kept, earlier, earlier + later) : earlier);
      return SmallVector<Val>{fma(dNext, b.load(n), sum[0]), fma(dNext, old, sum[1])};
    });
    dDecay.store(i, sums[1]);
    dSizes.store(i, fma(x, sums[0], dSizes.load(i)));
    gradients.store(xPlace, fma(in.skips.load(head), g, d * sums[0]));
  }

  /// What a row's gradients by d and a come to, once all dimensions of the head are in them.
  void finishRow(Val row, Val i, Val head) const {
    Val place = row * spec.heads + head, rate = in.rate(head);
    SsmOperands::Step step = in.stepAt(row, head);
    Val byDecay = dDecay.load(i) * decays.load(i) * rate; // of the exponent rate * d, by d
    dRate.store(place, byDecay * step.size);
    Val total = dSizes.load(i) + byDecay;
    if (spec.weighted) {
      dwrite.store(row, fma(total, step.size, dwrite.load(row)));
      total = total * step.weight;
    }
    Val low = k.real(spec.dtMin, spec.type), high = k.real(spec.dtMax, spec.type);
    Val byInput = total * sigmoid(step.input); // a NaN is not outside the bounds, and stays
    ddt.store(place, select(step.softened < low, zero(), select(step.softened > high, zero(), byInput)));
    Buffer x = in.xbc.at(row * in.width() + in.xColumn(head)), g = dy.at(row * in.inner() + in.xColumn(head));
    dSkip.store(place, dot(k, g, x, spec.headSize, spec.type));
  }

  /// Rows row .. row+count-1 of one head.
  void backBlock(Val row, Val count, Val isFirst, Val head) const {
    Val rate = in.rate(head);
    k.forEach(none(), count, [&](Val i) {
      Val size = in.stepAt(row + i, head).size;
      sizes.store(i, size);
      decays.store(i, exp(rate * size));
      dSizes.store(i, zero());
      dDecay.store(i, zero());
    });
    k.forEach(0, spec.headSize, [&](Val p) {
      computeStates(row, count, isFirst, head, p);
      forEachDown(k, none(), count, [&](Val i) { backRow(row + i, i, head, p); });
    });
    k.forEach(none(), count, [&](Val i) { finishRow(row + i, i, head); });
  }

  void backSequence(Val sequence) const {
    Val base = in.rows.start.load(0), begin = in.rows.start.load(sequence) - base;
    Val end = in.rows.start.load(sequence + 1) - base, length = end - begin;
    fillZero(k, dxbc, begin * in.width(), end * in.width(), spec.type);
    if (spec.weighted)
      fillZero(k, dwrite, begin, end, spec.type);
    k.forEach(0, spec.heads, [&](Val head) {
      fillZero(k, upstream, none(), k.integer(spec.headSize * spec.stateSize), spec.type);
      forEachDown(k, none(), (length + (scanBlockRows - 1)) / scanBlockRows, [&](Val block) {
        Val first = block * scanBlockRows;
        backBlock(begin + first, min(length - first, k.integer(scanBlockRows)), block == 0, head);
      });
    });
  }
};

} // namespace

Kernel getOrEmitGrad(ModuleOp kernels, const SeqSsmScanSpec &spec) {
  std::string symbol =
      symbolOf({"seq_ssm_scan_grad", nameOf(spec.type),
                std::to_string(spec.heads) + "x" + std::to_string(spec.headSize) + "x" + std::to_string(spec.stateSize),
                "groups" + std::to_string(spec.groups), "dt" + nameOf(spec.dtMin) + "to" + nameOf(spec.dtMax),
                spec.weighted ? "weighted" : "", spec.masked ? "masked" : ""});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    SsmGrad gradient(k, spec);
    k.forEach(k.begin(), k.end(), [&](Val sequence) { gradient.backSequence(sequence); });
  });
  return {symbol, perSequence};
}

namespace {

struct LtiGrad {
  KernelBuilder &k;
  const SeqLtiScanSpec &spec;
  Rows rows;
  Buffer u, decays, writes, modes, out, dout, du, dDecay, dwrite;

  LtiGrad(KernelBuilder &k, const SeqLtiScanSpec &spec) : k(k), spec(spec), rows(k.rows()) {
    u = k.buffer(spec.type), decays = k.buffer(spec.type);
    if (spec.weighted)
      writes = k.buffer(spec.type);
    if (spec.masked)
      modes = k.buffer(Elem::I8);
    for (Buffer *buffer : {&out, &dout, &du, &dDecay})
      *buffer = k.buffer(spec.type);
    if (spec.weighted)
      dwrite = k.buffer(spec.type);
  }

  Val ifKept(Val row, Val kept, Val otherwise) const {
    return spec.masked ? select(modes.load(rowId(rows, row)) == k.argument(4), kept, otherwise) : kept;
  }

  /// Element n of the state of rows begin .. end-1.
  void backElement(Val n, Val begin, Val end) const {
    Val decay = decays.load(n), factor = sigmoid(decay), zero = k.real(0, spec.type);
    // The gradient by what each row puts out, in dDecay for now.
    k.fold(begin, end, zero, [&](Val i, Val flow) {
      Val row = end - 1 - (i - begin), place = row * spec.stateSize + n;
      Val gradient = dout.load(place) + ifKept(row, flow, zero), earlier = factor * gradient;
      dDecay.store(place, gradient);
      return ifKept(row, earlier, earlier + flow);
    });
    Val wide = sigmoid(toFloat(decay, k.f64Type()));
    Val slope = toFloat(wide * (k.real(1, k.f64Type()) - wide), k.floatType(spec.type));
    k.fold(begin, end, zero, [&](Val row, Val state) {
      Val place = row * spec.stateSize + n, gradient = dDecay.load(place), byInput = gradient;
      if (spec.weighted) {
        Val weight = exp(writes.load(row));
        dwrite.store(row, fma(gradient, u.load(place) * weight, dwrite.load(row)));
        byInput = gradient * weight;
      }
      du.store(place, byInput);
      dDecay.store(place, gradient * state * slope);
      return ifKept(row, out.load(place), state);
    });
  }
};

} // namespace

Kernel getOrEmitGrad(ModuleOp kernels, const SeqLtiScanSpec &spec) {
  std::string symbol = symbolOf({"seq_lti_scan_grad", nameOf(spec.type), std::to_string(spec.stateSize),
                                 spec.weighted ? "weighted" : "", spec.masked ? "masked" : ""});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    LtiGrad gradient(k, spec);
    const Buffer &start = gradient.rows.start;
    k.forEach(k.begin(), k.end(), [&](Val sequence) {
      Val base = start.load(0), begin = start.load(sequence) - base, end = start.load(sequence + 1) - base;
      if (spec.weighted)
        fillZero(k, gradient.dwrite, begin, end, spec.type);
      k.forEach(0, spec.stateSize, [&](Val n) { gradient.backElement(n, begin, end); });
    });
  });
  return {symbol, perSequence};
}

} // namespace chimera::ref
