// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/TrainingScanSupport.h"

#include <algorithm>

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

/// The most elements of state that a kernel keeps in its frame.
static constexpr int64_t frameElements = 16384;

SsmOperands::SsmOperands(KernelBuilder &k, const SeqSsmScanSpec &spec) : k(k), spec(spec), rows(k.rows()) {
  for (Buffer *buffer : {&xbc, &dt, &logRates, &skips, &dtBiases})
    *buffer = k.buffer(spec.type);
  if (spec.weighted)
    writes = k.buffer(spec.type);
  if (spec.masked)
    modes = k.buffer(Elem::I8);
  states = k.buffer(spec.type);
}

SsmOperands::Step SsmOperands::stepAt(Val row, Val head) const {
  Step step;
  step.input = dt.load(row * spec.heads + head) + dtBiases.load(head);
  step.softened = softplus(step.input);
  Val low = k.real(spec.dtMin, spec.type), high = k.real(spec.dtMax, spec.type);
  step.size = select(step.softened < low, low, select(step.softened > high, high, step.softened));
  if (spec.weighted) {
    step.weight = exp(writes.load(row));
    step.size = step.size * step.weight;
  }
  return step;
}

namespace {

/// One head of one sequence; of it the dimensions first .. first+count-1, whose states are in `state` [.][stateSize].
struct SsmStrip {
  const SsmOperands &in;
  Buffer y;
  Val head, first, count;
  Buffer state;

  void keepState(Val row) const {
    int64_t size = in.spec.stateSize;
    Buffer to = in.stateBefore(row).at((head * in.spec.headSize + first) * size);
    in.k.forEach(in.k.integer(0), count * size, [&](Val i) { to.store(i, state.load(i)); });
  }

  void step(Val row) const {
    KernelBuilder &k = in.k;
    int64_t size = in.spec.stateSize;
    Buffer columns = in.xbc.at(row * in.width()), x = columns.at(in.xColumn(head) + first);
    Buffer b = columns.at(in.bColumn(head)), c = columns.at(in.cColumn(head));
    Buffer out = y.at(row * in.inner() + head * in.spec.headSize + first);
    Val d = in.stepAt(row, head).size, decay = exp(in.rate(head) * d), skip = in.skips.load(head);
    Val kept = in.spec.masked ? in.isKept(row) : Val();
    k.forEach(k.integer(0), count, [&](Val p) {
      Val input = d * x.load(p);
      Val sum = k.fold(0, size, k.real(0, in.spec.type), [&](Val n, Val s) {
        Val before = state.load(p * size + n), next = fma(input, b.load(n), decay * before);
        state.store(p * size + n, in.spec.masked ? select(kept, next, before) : next);
        return fma(next, c.load(n), s);
      });
      out.store(p, fma(skip, x.load(p), sum));
    });
  }
};

} // namespace

Kernel getOrEmit(ModuleOp kernels, const SeqSsmScanSpec &spec) {
  std::string symbol =
      symbolOf({"seq_ssm_scan", nameOf(spec.type),
                std::to_string(spec.heads) + "x" + std::to_string(spec.headSize) + "x" + std::to_string(spec.stateSize),
                "groups" + std::to_string(spec.groups), "dt" + nameOf(spec.dtMin) + "to" + nameOf(spec.dtMax),
                spec.weighted ? "weighted" : "", spec.masked ? "masked" : ""});
  int64_t strip = std::max<int64_t>(1, std::min(spec.headSize, frameElements / spec.stateSize));
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    SsmOperands in(k, spec);
    Buffer y = k.buffer(spec.type), state = k.scratch(elemOf(spec.type), strip * spec.stateSize);
    auto scan = [&](Val sequence, Val head, Val first) {
      Val count = min(k.integer(spec.headSize) - first, k.integer(strip));
      SsmStrip part{in, y, head, first, count, state};
      fillZero(k, state, k.integer(0), count * spec.stateSize, spec.type);
      Val begin = in.rows.start.load(sequence) - in.rows.start.load(0);
      forEachRowOf(k, in.rows.start, sequence, [&](Val row) {
        Val place = row - begin;
        k.when((place % scanBlockRows == 0) & (place > k.integer(0)), [&] { part.keepState(row); });
        part.step(row);
      });
    };
    k.forEach(k.begin(), k.end(), [&](Val block) {
      Val sequence = block / spec.heads, head = block % spec.heads;
      k.forEach(k.integer(0), k.integer(spec.headSize), [&](Val first) { scan(sequence, head, first); }, strip);
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/spec.heads}};
}

Kernel getOrEmit(ModuleOp kernels, const SeqLtiScanSpec &spec) {
  std::string symbol = symbolOf({"seq_lti_scan", nameOf(spec.type), std::to_string(spec.stateSize),
                                 spec.weighted ? "weighted" : "", spec.masked ? "masked" : ""});
  int64_t size = spec.stateSize;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer u = k.buffer(spec.type), decays = k.buffer(spec.type);
    Buffer writes = spec.weighted ? k.buffer(spec.type) : Buffer(), modes = spec.masked ? k.buffer(Elem::I8) : Buffer();
    Buffer out = k.buffer(spec.type);
    k.forEach(k.begin(), k.end(), [&](Val sequence) {
      Val base = rows.start.load(0), begin = rows.start.load(sequence) - base;
      Val end = rows.start.load(sequence + 1) - base;
      k.forEach(0, size, [&](Val n) {
        Val factor = sigmoid(decays.load(n));
        k.fold(begin, end, k.real(0, spec.type), [&](Val row, Val state) {
          Val input = u.load(row * size + n);
          if (spec.weighted)
            input = input * exp(writes.load(row));
          Val next = fma(factor, state, input);
          out.store(row * size + n, next);
          return spec.masked ? select(modes.load(rowId(rows, row)) == k.argument(4), next, state) : next;
        });
      });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/1}};
}

} // namespace chimera::ref
