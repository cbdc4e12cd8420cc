// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/TrainingScanSupport.h"

#include <algorithm>

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

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

StripSizes stripSizes(const SeqSsmScanSpec &spec, int64_t mostElements) {
  int64_t elements = std::min(spec.stateSize, mostElements);
  return {std::clamp<int64_t>(stripElements / elements, 1, spec.headSize), elements};
}

void forEachStrip(KernelBuilder &k, const SeqSsmScanSpec &spec, StripSizes sizes,
                  llvm::function_ref<void(const StateStrip &)> body) {
  Val none = k.integer(0), dims = k.integer(spec.headSize), elements = k.integer(spec.stateSize);
  auto atDims = [&](Val n) {
    Val width = min(elements - n, k.integer(sizes.elements));
    k.forEach(none, dims, [&](Val p) { body({p, min(dims - p, k.integer(sizes.dims)), n, width}); }, sizes.dims);
  };
  k.forEach(none, elements, atDims, sizes.elements);
}

std::string nameOfScan(const SeqSsmScanSpec &spec) {
  std::string sizes =
      std::to_string(spec.heads) + "x" + std::to_string(spec.headSize) + "x" + std::to_string(spec.stateSize);
  return nameOf(spec.type) + "_" + sizes + "_groups" + std::to_string(spec.groups) + "_dt" + nameOf(spec.dtMin) + "to" +
         nameOf(spec.dtMax) + (spec.weighted ? "_weighted" : "") + (spec.masked ? "_masked" : "");
}

namespace {

/// A strip of one head of one sequence; its states are in `state`, `stride` elements a dimension.
struct SsmStrip {
  const SsmOperands &in;
  Buffer y;
  Val head;
  StateStrip strip;
  Buffer state;
  int64_t stride;

  void forEachDim(function_ref<void(Val)> body) const { in.k.forEach(in.k.integer(0), strip.dims, body); }

  void clear() const {
    forEachDim([&](Val p) { fillZero(in.k, state.at(p * stride), in.k.integer(0), strip.elements, in.spec.type); });
  }

  void keepState(Val row) const {
    int64_t size = in.spec.stateSize;
    Buffer kept = in.stateBefore(row).at((head * in.spec.headSize + strip.p) * size + strip.n);
    forEachDim([&](Val p) {
      Buffer from = state.at(p * stride), to = kept.at(p * size);
      in.k.forEach(in.k.integer(0), strip.elements, [&](Val n) { to.store(n, from.load(n)); });
    });
  }

  void step(Val row) const {
    KernelBuilder &k = in.k;
    Buffer columns = in.xbc.at(row * in.width()), x = columns.at(in.xColumn(head) + strip.p);
    Buffer b = columns.at(in.bColumn(head) + strip.n), c = columns.at(in.cColumn(head) + strip.n);
    Buffer out = y.at(row * in.inner() + head * in.spec.headSize + strip.p);
    Val d = in.stepAt(row, head).size, decay = exp(in.rate(head) * d), skip = in.skips.load(head);
    Val kept = in.spec.masked ? in.isKept(row) : Val();
    Val isLast = strip.n + strip.elements == in.spec.stateSize;
    forEachDim([&](Val p) {
      Val input = d * x.load(p);
      Buffer states = state.at(p * stride);
      // y holds the sum over the elements of the strips before.
      Val sum = k.choose(strip.n == 0, [&] { return k.real(0, in.spec.type); }, [&] { return out.load(p); });
      sum = k.fold(k.integer(0), strip.elements, sum, [&](Val n, Val s) {
        Val before = states.load(n), next = fma(input, b.load(n), decay * before);
        states.store(n, in.spec.masked ? select(kept, next, before) : next);
        return fma(next, c.load(n), s);
      });
      out.store(p, select(isLast, fma(skip, x.load(p), sum), sum));
    });
  }
};

} // namespace

Kernel getOrEmit(ModuleOp kernels, const SeqSsmScanSpec &spec) {
  std::string symbol = symbolOf({"seq_ssm_scan", nameOfScan(spec)});
  StripSizes sizes = stripSizes(spec, frameElements);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    SsmOperands in(k, spec);
    Buffer y = k.buffer(spec.type), state = k.scratch(elemOf(spec.type), sizes.dims * sizes.elements);
    k.forEach(k.begin(), k.end(), [&](Val block) {
      Val sequence = block / spec.heads, head = block % spec.heads;
      Val begin = in.rows.start.load(sequence) - in.rows.start.load(0);
      forEachStrip(k, spec, sizes, [&](const StateStrip &strip) {
        SsmStrip part{in, y, head, strip, state, sizes.elements};
        part.clear();
        forEachRowOf(k, in.rows.start, sequence, [&](Val row) {
          Val place = row - begin;
          k.when((place % ir::scanBlockRows == 0) & (place > k.integer(0)), [&] { part.keepState(row); });
          part.step(row);
        });
      });
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
