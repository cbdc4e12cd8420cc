// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scan S' = s S + w u, s = sigmoid(decay), w = exp(write), of whole sequences, and its gradient. With g_t the
// gradient by S'_t, from its own output and from later rows: g_t = dout_t + s g_(t+1), du = w g, dwrite = <g, w u>,
// ddecay = s (1 - s) sum_t g_t S_(t-1). A row that is not kept leaves S as it was: it has g = dout alone, and what
// comes from later rows goes to the row before beside s g.
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Math.h"
#include "codegen/cpu/Reduce.h"
#include "codegen/cpu/TrainingScan.h"
#include "codegen/ref/TrainingSupport.h"

using namespace mlir;

namespace chimera::cpu {

bool hasTrainingKernels(const ref::SeqLtiScanSpec &spec) {
  return spec.type == Scalar::F32;
}

/// Vectors of channels that go through the rows together.
static constexpr int64_t stripVectors = 4;

static std::string symbolOfLti(const std::string &name, const ref::SeqLtiScanSpec &spec) {
  return kernel::symbolOf(
      {name, std::to_string(spec.stateSize), spec.weighted ? "weighted" : "", spec.masked ? "masked" : ""});
}

namespace {

/// What the scan and its gradient read.
struct LtiOperands {
  KernelBuilder &k;
  const ref::SeqLtiScanSpec &spec;
  Rows rows;
  Buffer u, decays, writes, modes;

  LtiOperands(KernelBuilder &k, const ref::SeqLtiScanSpec &spec)
      : k(k), spec(spec), rows(k.rows()), u(k.buffer(Elem::F32)), decays(k.buffer(Elem::F32)) {
    if (spec.weighted)
      writes = k.buffer(Elem::F32);
    if (spec.masked)
      modes = k.buffer(Elem::I8);
  }

  Val begin(Val sequence) const { return rows.start.load(sequence) - rows.start.load(0); }
  Val end(Val sequence) const { return begin(sequence + 1); }
  Val place(Val row, Val channel) const { return row * spec.stateSize + channel; }
  Val ifKept(Val row, Val kept, Val otherwise) const {
    return spec.masked ? select(modes.load(ref::rowId(rows, row)) == k.argument(4), kept, otherwise) : kept;
  }
  Val weight(Val row, int64_t lanes) const { return splat(exp(writes.load(row)), lanes); }
};

/// Some channels of a sequence, `vectors` vectors from `channel` on.
struct LtiStrip {
  const LtiOperands &in;
  Val begin, end, channel;
  int64_t lanes, vectors;

  Val at(Val row, int64_t v) const { return in.place(row, channel + v * lanes); }
  SmallVector<Val> each(function_ref<Val(int64_t v)> value) const {
    SmallVector<Val> values;
    for (int64_t v = 0; v < vectors; ++v)
      values.push_back(value(v));
    return values;
  }
  Val decay(int64_t v) const { return in.decays.loadVector(channel + v * lanes, lanes); }
  SmallVector<Val> factors() const {
    return each([&](int64_t v) { return sigmoid(decay(v)); });
  }
  SmallVector<Val> zeros() const {
    return SmallVector<Val>(vectors, in.k.real(0, in.k.vectorType(in.k.f32Type(), lanes)));
  }

  void forward(const Buffer &out) const {
    SmallVector<Val> s = factors();
    in.k.foldMany(begin, end, zeros(), [&](Val row, ArrayRef<Val> before) {
      Val weight = in.spec.weighted ? in.weight(row, lanes) : Val();
      return each([&](int64_t v) {
        Val input = in.u.loadVector(at(row, v), lanes);
        Val next = fma(s[v], before[v], in.spec.weighted ? input * weight : input);
        out.storeVector(at(row, v), next);
        return in.ifKept(row, next, before[v]);
      });
    });
  }

  /// g of each row into `gradients`.
  void backward(const Buffer &dout, const Buffer &gradients) const {
    SmallVector<Val> s = factors(), none = zeros();
    in.k.foldMany(begin, end, none, [&](Val i, ArrayRef<Val> flow) {
      Val row = end - 1 - (i - begin);
      return each([&](int64_t v) {
        Val gradient = dout.loadVector(at(row, v), lanes) + in.ifKept(row, flow[v], none[v]), earlier = s[v] * gradient;
        gradients.storeVector(at(row, v), gradient);
        return in.ifKept(row, earlier, earlier + flow[v]);
      });
    });
  }

  /// From g, which is in dDecay: du, the rows' terms of ddecay in its place, and this strip's part of dwrite.
  void finish(const Buffer &out, const Buffer &du, const Buffer &dDecay, const Buffer &dwrite) const {
    // 1 - s as sigmoid(-decay): no cancellation.
    SmallVector<Val> slopes = each([&](int64_t v) { return sigmoid(decay(v)) * sigmoid(-decay(v)); });
    in.k.foldMany(begin, end, zeros(), [&](Val row, ArrayRef<Val> before) {
      Val weight = in.spec.weighted ? in.weight(row, lanes) : Val(), ofWrite;
      SmallVector<Val> after = each([&](int64_t v) {
        Val gradient = dDecay.loadVector(at(row, v), lanes), byInput = gradient;
        if (in.spec.weighted) {
          byInput = gradient * weight;
          Val term = byInput * in.u.loadVector(at(row, v), lanes);
          ofWrite = v == 0 ? term : ofWrite + term;
        }
        du.storeVector(at(row, v), byInput);
        dDecay.storeVector(at(row, v), gradient * before[v] * slopes[v]);
        return in.ifKept(row, out.loadVector(at(row, v), lanes), before[v]);
      });
      if (in.spec.weighted)
        dwrite.store(row, dwrite.load(row) + (lanes > 1 ? reduceSum(ofWrite) : extract(ofWrite, 0)));
      return after;
    });
  }
};

} // namespace

/// Covers a block of channels of a sequence by strips.
static void forEachStrip(const LtiOperands &in, const Isa &isa, Val sequence, Val block,
                         function_ref<void(const LtiStrip &)> body) {
  Val begin = in.begin(sequence), end = in.end(sequence);
  forEachStrip(
      in.k, in.spec.stateSize, block, isa.lanes, stripVectors,
      [&](Val channel, int64_t lanes, int64_t vectors) { body(LtiStrip{in, begin, end, channel, lanes, vectors}); });
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const ref::SeqLtiScanSpec &spec) {
  std::string symbol = symbolOfLti("cpu_seq_lti_scan", spec);
  int64_t blocks = channelBlocks(spec.stateSize);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    LtiOperands in(k, spec);
    Buffer out = k.buffer(Elem::F32);
    k.forEach(k.begin(), k.end(), [&](Val block) {
      forEachStrip(in, isa, block / blocks, block % blocks, [&](const LtiStrip &strip) { strip.forward(out); });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/blocks}};
}

Kernel getOrEmitGrad(ModuleOp kernels, const Isa &isa, const ref::SeqLtiScanSpec &spec) {
  std::string symbol = symbolOfLti("cpu_seq_lti_scan_grad", spec);
  // The channels' parts of dwrite are added one after another, so one task has them all.
  int64_t blocks = channelBlocks(spec.stateSize), together = spec.weighted ? blocks : 1, tasks = blocks / together;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    LtiOperands in(k, spec);
    Buffer out = k.buffer(Elem::F32), dout = k.buffer(Elem::F32), du = k.buffer(Elem::F32),
           dDecay = k.buffer(Elem::F32), dwrite = spec.weighted ? k.buffer(Elem::F32) : Buffer();
    k.forEach(k.begin(), k.end(), [&](Val task) {
      Val sequence = task / tasks, first = task % tasks * together;
      if (spec.weighted)
        k.forEach(in.begin(sequence), in.end(sequence), [&](Val row) { dwrite.store(row, k.real(0, Scalar::F32)); });
      k.forEach(first, first + together, [&](Val block) {
        forEachStrip(in, isa, sequence, block, [&](const LtiStrip &strip) {
          strip.backward(dout, dDecay);
          strip.finish(out, du, dDecay, dwrite);
        });
      });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/tasks}};
}

} // namespace chimera::cpu
