// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/kernel/KernelBuilder.h"
#include "codegen/ref/Kernels.h"
#include "codegen/ref/Math.h"

using namespace mlir;

namespace chimera::ref {

namespace {

/// One head of one sequence of the Mamba-2 recurrence.
struct SsmHead {
  KernelBuilder &k;
  const SsmScanSpec &spec;
  Buffer xbc, dt, writes, y;
  Val head, group;
  Val negatedRate, skip, dtBias; // -exp(A_log), D, dt_bias of this head
  Buffer state;                  // [headSize][stateSize]

  /// The step size of a row.
  Val stepSize(Val row) const {
    Val d = softplus(dt.load(row * spec.heads + head) + dtBias);
    Val low = k.real(spec.dtMin, spec.type), high = k.real(spec.dtMax, spec.type);
    d = select(d < low, low, select(d > high, high, d));
    return spec.weighted ? d * exp(writes.load(row)) : d;
  }

  void step(Val row) const {
    int64_t inner = spec.heads * spec.headSize, size = spec.stateSize;
    Buffer in = xbc.at(row * (inner + 2 * spec.groups * size));
    Buffer x = in.at(head * spec.headSize), b = in.at(group * size + inner), c = b.at(k.integer(spec.groups * size));
    Buffer out = y.at(row * inner + head * spec.headSize);
    Val d = stepSize(row), decay = exp(negatedRate * d);
    k.forEach(0, spec.headSize, [&](Val p) {
      Val input = d * x.load(p);
      Val sum = k.fold(0, size, k.real(0, spec.type), [&](Val n, Val s) {
        Val next = fma(input, b.load(n), decay * state.load(p * size + n));
        state.store(p * size + n, next);
        return fma(next, c.load(n), s);
      });
      out.store(p, fma(skip, x.load(p), sum));
    });
  }
};

} // namespace

/// Calls `body` with the compact rows of a sequence, in order.
static void forEachRowOf(KernelBuilder &k, const Rows &rows, Val sequence, function_ref<void(Val)> body) {
  Val first = rows.start.load(0);
  k.forEach(rows.start.load(sequence) - first, rows.start.load(sequence + 1) - first, body);
}

Kernel getOrEmit(ModuleOp kernels, const SsmScanSpec &spec) {
  std::string symbol =
      symbolOf({"ssm_scan", nameOf(spec.type),
                std::to_string(spec.heads) + "x" + std::to_string(spec.headSize) + "x" + std::to_string(spec.stateSize),
                "groups" + std::to_string(spec.groups), "dt" + nameOf(spec.dtMin) + "to" + nameOf(spec.dtMax),
                spec.weighted ? "weighted" : ""});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer xbc = k.buffer(spec.type), dt = k.buffer(spec.type);
    Buffer logRates = k.buffer(spec.type), skips = k.buffer(spec.type), dtBiases = k.buffer(spec.type);
    Buffer writes = spec.weighted ? k.buffer(spec.type) : Buffer();
    Buffer states = k.buffer(spec.type), y = k.buffer(spec.type);
    k.forEach(k.begin(), k.end(), [&](Val block) {
      Val sequence = block / spec.heads, head = block % spec.heads;
      Val stateIndex = rows.slot.load(sequence) * spec.heads + head;
      SsmHead scan{k,
                   spec,
                   xbc,
                   dt,
                   writes,
                   y,
                   head,
                   head * spec.groups / spec.heads,
                   -exp(logRates.load(head)),
                   skips.load(head),
                   dtBiases.load(head),
                   states.at(stateIndex * (spec.headSize * spec.stateSize))};
      forEachRowOf(k, rows, sequence, [&](Val row) { scan.step(row); });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/spec.heads}};
}

Kernel getOrEmit(ModuleOp kernels, const LtiScanSpec &spec) {
  std::string symbol =
      symbolOf({"lti_scan", nameOf(spec.type), std::to_string(spec.stateSize), spec.weighted ? "weighted" : ""});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer u = k.buffer(spec.type), decays = k.buffer(spec.type);
    Buffer writes = spec.weighted ? k.buffer(spec.type) : Buffer();
    Buffer states = k.buffer(spec.type), out = k.buffer(spec.type);
    int64_t size = spec.stateSize;
    k.forEach(k.begin(), k.end(), [&](Val sequence) {
      Buffer state = states.at(rows.slot.load(sequence) * size);
      forEachRowOf(k, rows, sequence, [&](Val row) {
        k.forEach(0, size, [&](Val n) {
          Val input = u.load(row * size + n);
          if (spec.weighted)
            input = input * exp(writes.load(row));
          Val next = fma(sigmoid(decays.load(n)), state.load(n), input);
          state.store(n, next);
          out.store(row * size + n, next);
        });
      });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/1}};
}

} // namespace chimera::ref
