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
  StripSizes strips;
  Buffer dy, dxbc, ddt, dRate, dSkip, dwrite;
  Buffer upstream;      // G of a strip: [dims][elements]
  Buffer before;        // the states before the rows of a block, of one dimension of a strip: [32][elements]
  Buffer sizes, decays; // d and a of the rows of a block

  SsmGrad(KernelBuilder &k, const SeqSsmScanSpec &spec)
      : in(k, spec), k(k), spec(spec), strips(stripSizes(spec, frameElements / ir::scanBlockRows)) {
    for (Buffer *buffer : {&dy, &dxbc, &ddt, &dRate, &dSkip})
      *buffer = k.buffer(spec.type);
    if (spec.weighted)
      dwrite = k.buffer(spec.type);
    Elem elem = elemOf(spec.type);
    upstream = k.scratch(elem, strips.dims * strips.elements);
    before = k.scratch(elem, ir::scanBlockRows * strips.elements);
    sizes = k.scratch(elem, ir::scanBlockRows), decays = k.scratch(elem, ir::scanBlockRows);
  }

  Val zero() const { return k.real(0, spec.type); }
  Val none() const { return k.integer(0); }

  /// a S + d x B^T at one dimension and one element of the state.
  Val next(Val input, Val b, Val decay, Val state) const { return fma(input, b, decay * state); }

  /// The rows row .. row+count-1 of one head; `isFirst`: the first begins its sequence.
  struct Block {
    Val head, row, count, isFirst;
  };

  /// Fills `before` with the states of a strip's dimension p before each row of a block.
  void computeStates(const Block &block, const StateStrip &strip, Val p) const {
    k.either(
        block.isFirst, [&] { fillZero(k, before, none(), strip.elements, spec.type); },
        [&] {
          Val place = (block.head * spec.headSize + strip.p + p) * spec.stateSize + strip.n;
          Buffer kept = in.stateBefore(block.row).at(place);
          k.forEach(none(), strip.elements, [&](Val n) { before.store(n, kept.load(n)); });
        });
    k.forEach(none(), block.count - 1, [&](Val i) {
      Val row = block.row + i, decay = decays.load(i);
      Buffer columns = in.xbc.at(row * in.width()), b = columns.at(in.bColumn(block.head) + strip.n);
      Val input = sizes.load(i) * columns.load(in.xColumn(block.head) + strip.p + p);
      Val kept = spec.masked ? in.isKept(row) : Val();
      Buffer from = before.at(i * strips.elements), to = before.at((i + 1) * strips.elements);
      k.forEach(none(), strip.elements, [&](Val n) {
        Val old = from.load(n), state = next(input, b.load(n), decay, old);
        to.store(n, spec.masked ? select(kept, state, old) : state);
      });
    });
  }

  /// The way back through dimension p of a strip at the i-th row of a block. Adds to dB and dC, to dRate what a gets,
  /// and to dx only the product dN B: finishRow needs it by itself.
  void backRow(const Block &block, const StateStrip &strip, Val i, Val p) const {
    Val row = block.row + i, rowStart = row * in.width(), xColumn = in.xColumn(block.head) + strip.p + p;
    Buffer columns = in.xbc.at(rowStart), gradients = dxbc.at(rowStart);
    Val bColumn = in.bColumn(block.head) + strip.n, cColumn = in.cColumn(block.head) + strip.n;
    Buffer b = columns.at(bColumn), c = columns.at(cColumn), db = gradients.at(bColumn), dc = gradients.at(cColumn);
    Buffer states = before.at(i * strips.elements), flow = upstream.at(p * strips.elements);
    Val g = dy.load(row * in.inner() + xColumn), decay = decays.load(i), input = sizes.load(i) * columns.load(xColumn);
    Val kept = spec.masked ? in.isKept(row) : Val(), headPlace = row * spec.heads + block.head;
    SmallVector<Val> initial = {gradients.load(xColumn), dRate.load(headPlace)};
    auto sums = k.foldMany(none(), strip.elements, initial, [&](Val n, ArrayRef<Val> sum) {
      Val old = states.load(n), later = flow.load(n);
      Val dNext = fma(g, c.load(n), spec.masked ? select(kept, later, zero()) : later);
      dc.store(n, fma(g, next(input, b.load(n), decay, old), dc.load(n)));
      db.store(n, fma(input, dNext, db.load(n)));
      Val earlier = decay * dNext;
      flow.store(n, spec.masked ? select(kept, earlier, earlier + later) : earlier);
      return SmallVector<Val>{fma(dNext, b.load(n), sum[0]), fma(dNext, old, sum[1])};
    });
    gradients.store(xColumn, sums[0]);
    dRate.store(headPlace, sums[1]);
  }

  void backBlock(const Block &block, const StateStrip &strip) const {
    Val rate = in.rate(block.head);
    k.forEach(none(), block.count, [&](Val i) {
      Val size = in.stepAt(block.row + i, block.head).size;
      sizes.store(i, size);
      decays.store(i, exp(rate * size));
    });
    k.forEach(none(), strip.dims, [&](Val p) {
      computeStates(block, strip, p);
      forEachDown(k, none(), block.count, [&](Val i) { backRow(block, strip, i, p); });
    });
  }

  /// The gradient by d of what the sums of backRow come to; dx and dSkip of the row.
  Val backInput(Val row, Val head, Val size) const {
    Buffer x = in.xbc.at(row * in.width() + in.xColumn(head)), dx = dxbc.at(row * in.width() + in.xColumn(head));
    Buffer g = dy.at(row * in.inner() + in.xColumn(head));
    Val skip = in.skips.load(head);
    dSkip.store(row * spec.heads + head, dot(k, g, x, spec.headSize, spec.type));
    return k.fold(0, spec.headSize, zero(), [&](Val p, Val sum) {
      Val product = dx.load(p);
      dx.store(p, fma(skip, g.load(p), size * product));
      return fma(x.load(p), product, sum);
    });
  }

  /// A row's results once all strips of the head are in its sums.
  void finishRow(Val row, Val head) const {
    Val place = row * spec.heads + head, rate = in.rate(head);
    SsmOperands::Step step = in.stepAt(row, head);
    Val byExponent = dRate.load(place) * exp(rate * step.size) * rate; // of rate * d, by d
    dRate.store(place, byExponent * step.size);
    Val total = backInput(row, head, step.size) + byExponent;
    if (spec.weighted) {
      dwrite.store(row, fma(total, step.size, dwrite.load(row)));
      total = total * step.weight;
    }
    Val low = k.real(spec.dtMin, spec.type), high = k.real(spec.dtMax, spec.type);
    Val byInput = total * sigmoid(step.input); // a NaN is not outside the bounds, and stays
    ddt.store(place, select(step.softened < low, zero(), select(step.softened > high, zero(), byInput)));
  }

  void backHead(Val begin, Val length, Val head) const {
    k.forEach(begin, begin + length, [&](Val row) { dRate.store(row * spec.heads + head, zero()); });
    forEachStrip(k, spec, strips, [&](const StateStrip &strip) {
      fillZero(k, upstream, none(), k.integer(strips.dims * strips.elements), spec.type);
      forEachDown(k, none(), (length + (ir::scanBlockRows - 1)) / ir::scanBlockRows, [&](Val number) {
        Val first = number * ir::scanBlockRows;
        backBlock({head, begin + first, min(length - first, k.integer(ir::scanBlockRows)), number == 0}, strip);
      });
    });
    k.forEach(begin, begin + length, [&](Val row) { finishRow(row, head); });
  }

  void backSequence(Val sequence) const {
    Val base = in.rows.start.load(0), begin = in.rows.start.load(sequence) - base;
    Val end = in.rows.start.load(sequence + 1) - base;
    fillZero(k, dxbc, begin * in.width(), end * in.width(), spec.type);
    if (spec.weighted)
      fillZero(k, dwrite, begin, end, spec.type);
    k.forEach(0, spec.heads, [&](Val head) { backHead(begin, end - begin, head); });
  }
};

} // namespace

Kernel getOrEmitGrad(ModuleOp kernels, const SeqSsmScanSpec &spec) {
  std::string symbol = symbolOf({"seq_ssm_scan_grad", nameOfScan(spec)});
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
