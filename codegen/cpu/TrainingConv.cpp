// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingConv.h"
#include "codegen/cpu/Math.h"
#include "codegen/cpu/Reduce.h"
#include "codegen/ref/TrainingSupport.h"

using namespace mlir;

namespace chimera::cpu {

bool hasTrainingKernels(const ref::SeqConvSpec &spec) {
  return !spec.tentative && spec.type == Scalar::F32;
}

/// Vectors of channels that are taken at a time: their weights and the rows that the taps reach stay in registers.
static int64_t stripVectors(const Isa &isa) {
  return isa.lanes == 16 ? 2 : 1;
}

namespace {

/// Some neighbouring channels.
struct Strip {
  KernelBuilder &k;
  const ref::SeqConvSpec &spec;
  Val channel;
  int64_t lanes, vectors;
  Buffer turned; // [taps][lanes * vectors]

  using Vals = SmallVector<Val>;

  Vals load(const Buffer &matrix, Val row) const { return loadAt(matrix, row * spec.channels + channel); }
  Vals loadAt(const Buffer &from, Val place) const {
    Vals values;
    for (int64_t v = 0; v < vectors; ++v)
      values.push_back(from.loadVector(place + v * lanes, lanes));
    return values;
  }
  void store(const Buffer &matrix, Val row, ArrayRef<Val> values) const {
    for (int64_t v = 0; v < vectors; ++v)
      matrix.storeVector(row * spec.channels + channel + v * lanes, values[v]);
  }
  Vals zeros(int64_t count) const { return Vals(count, splat(k.real(0, k.f32Type()), lanes)); }

  /// The weights [channels][taps] of the strip, tap by tap.
  Vals weights(const Buffer &w) const {
    int64_t width = lanes * vectors;
    k.forEach(0, width, [&](Val c) {
      for (int64_t tap = 0; tap < spec.taps; ++tap)
        turned.store(c + tap * width, w.load((channel + c) * spec.taps + tap));
    });
    Vals taps;
    for (int64_t tap = 0; tap < spec.taps; ++tap)
      taps.append(loadAt(turned, k.integer(tap * width)));
    return taps;
  }

  /// Walks rows begin .. end-1 with the rows of x before each: `body` gets the row, the vectors of the earlier rows,
  /// the oldest first, and of its own.
  void walk(const Buffer &x, Val begin, Val end, function_ref<void(Val row, ArrayRef<Val> window)> body) const {
    k.foldMany(begin, end, zeros((spec.taps - 1) * vectors), [&](Val row, ArrayRef<Val> earlier) {
      Vals window(earlier);
      window.append(load(x, row));
      body(row, window);
      return Vals(ArrayRef<Val>(window).drop_front(vectors));
    });
  }

  /// bias + sum_k w[k] x[k], k ascending.
  Vals convolve(ArrayRef<Val> taps, ArrayRef<Val> biases, ArrayRef<Val> window) const {
    Vals sums(biases);
    for (int64_t i = 0; i < spec.taps * vectors; ++i)
      sums[i % vectors] = fma(taps[i], window[i], sums[i % vectors]);
    return sums;
  }
};

} // namespace

/// A kernel whose blocks are some channels of a sequence each; `body` gets a strip and the sequence's compact rows.
static Kernel emitStrips(ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec, const char *name,
                         function_ref<void(KernelBuilder &, Rows &, SmallVector<Buffer> &)> takeBuffers,
                         function_ref<void(const Strip &, ArrayRef<Buffer>, Val begin, Val end)> body) {
  int64_t blocks = channelBlocks(spec.channels);
  std::string symbol =
      symbolOf({name, std::to_string(spec.channels) + "x" + std::to_string(spec.taps), spec.silu ? "silu" : ""});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows;
    SmallVector<Buffer> buffers;
    takeBuffers(k, rows, buffers);
    Buffer turned = k.scratch(Elem::F32, spec.taps * isa.lanes * stripVectors(isa));
    k.forEach(k.begin(), k.end(), [&](Val block) {
      Val sequence = block / blocks, base = rows.start.load(0);
      Val begin = rows.start.load(sequence) - base, end = rows.start.load(sequence + 1) - base;
      forEachStrip(k, spec.channels, block % blocks, isa.lanes, stripVectors(isa),
                   [&](Val channel, int64_t lanes, int64_t vectors) {
                     body(Strip{k, spec, channel, lanes, vectors, turned}, buffers, begin, end);
                   });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/blocks}};
}

/// Rows, then this many buffers.
static auto rowsAnd(int64_t count) {
  return [count](KernelBuilder &k, Rows &rows, SmallVector<Buffer> &buffers) {
    rows = k.rows();
    for (int64_t i = 0; i < count; ++i)
      buffers.push_back(k.buffer(Elem::F32));
  };
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec) {
  // Buffers: x, w, bias, y.
  auto body = [&](const Strip &strip, ArrayRef<Buffer> b, Val begin, Val end) {
    SmallVector<Val> taps = strip.weights(b[1]), biases = strip.loadAt(b[2], strip.channel);
    strip.walk(b[0], begin, end, [&](Val row, ArrayRef<Val> window) {
      SmallVector<Val> sums = strip.convolve(taps, biases, window);
      if (spec.silu)
        for (Val &sum : sums)
          sum = silu(sum);
      strip.store(b[3], row, sums);
    });
  };
  return emitStrips(kernels, isa, spec, "cpu_seq_conv", rowsAnd(4), body);
}

/// The derivative of silu: s + x s (1 - s), s = sigmoid(x).
static Val siluSlope(Val x) {
  Val s = sigmoid(x), one = x.builder->real(1, x.value.getType());
  return fma(x * s, one - s, s);
}

static Kernel emitActivation(ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec) {
  // Buffers: x, w, bias, dy, dpre.
  auto body = [&](const Strip &strip, ArrayRef<Buffer> b, Val begin, Val end) {
    SmallVector<Val> taps = strip.weights(b[1]), biases = strip.loadAt(b[2], strip.channel);
    strip.walk(b[0], begin, end, [&](Val row, ArrayRef<Val> window) {
      SmallVector<Val> slopes = strip.convolve(taps, biases, window), dy = strip.load(b[3], row);
      for (int64_t v = 0; v < strip.vectors; ++v)
        slopes[v] = dy[v] * siluSlope(slopes[v]);
      strip.store(b[4], row, slopes);
    });
  };
  return emitStrips(kernels, isa, spec, "cpu_seq_conv_grad_activation", rowsAnd(5), body);
}

static Kernel emitInput(ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec) {
  // Buffers: w, dpre, dx. From the last row to the first; the window has the gradients of the rows after it, the
  // nearest last.
  auto body = [&](const Strip &strip, ArrayRef<Buffer> b, Val begin, Val end) {
    KernelBuilder &k = strip.k;
    int64_t vectors = strip.vectors;
    SmallVector<Val> taps = strip.weights(b[0]);
    k.foldMany(begin, end, strip.zeros((spec.taps - 1) * vectors), [&](Val i, ArrayRef<Val> later) {
      Val row = end - 1 - (i - begin);
      SmallVector<Val> window(later);
      window.append(strip.load(b[1], row));
      SmallVector<Val> sums;
      for (int64_t v = 0; v < vectors; ++v)
        sums.push_back(taps[(spec.taps - 1) * vectors + v] * window[(spec.taps - 1) * vectors + v]);
      for (int64_t tap = spec.taps - 1; tap-- > 0;)
        for (int64_t v = 0; v < vectors; ++v)
          sums[v] = fma(taps[tap * vectors + v], window[tap * vectors + v], sums[v]);
      strip.store(b[2], row, sums);
      return SmallVector<Val>(ArrayRef<Val>(window).drop_front(vectors));
    });
  };
  return emitStrips(kernels, isa, spec, "cpu_seq_conv_grad_input", rowsAnd(3), body);
}

/// Adds the rows begin .. end-1 of a sequence to the sums [taps + 1][width] of the strip: by weights, then by bias.
static void addWeights(const Strip &strip, const Buffer &x, const Buffer &dpre, Val begin, Val end,
                       const Buffer &sums) {
  KernelBuilder &k = strip.k;
  int64_t taps = strip.spec.taps, vectors = strip.vectors, width = vectors * strip.lanes;
  int64_t history = (taps - 1) * vectors;
  SmallVector<Val> carried = strip.zeros(history);
  for (int64_t tap = 0; tap <= taps; ++tap)
    carried.append(strip.loadAt(sums, k.integer(tap * width)));
  // Taps before the sequence do not count, whatever the gradient is: its first rows are apart.
  auto step = [&](Val row, ArrayRef<Val> before, bool isNearStart) {
    SmallVector<Val> window(before.take_front(history)), after, g = strip.load(dpre, row);
    window.append(strip.load(x, row));
    for (int64_t i = 0; i < taps * vectors; ++i) {
      Val old = before[history + i], sum = fma(g[i % vectors], window[i], old);
      int64_t back = taps - 1 - i / vectors;
      after.push_back(isNearStart && back > 0 ? select(row - begin < back, old, sum) : sum);
    }
    for (int64_t v = 0; v < vectors; ++v)
      after.push_back(before[history + taps * vectors + v] + g[v]);
    SmallVector<Val> next(ArrayRef<Val>(window).drop_front(vectors));
    next.append(after);
    return next;
  };
  Val middle = min(begin + (taps - 1), end);
  carried = k.foldMany(begin, middle, carried, [&](Val row, ArrayRef<Val> c) { return step(row, c, true); });
  carried = k.foldMany(middle, end, carried, [&](Val row, ArrayRef<Val> c) { return step(row, c, false); });
  for (int64_t i = 0; i < (taps + 1) * vectors; ++i)
    sums.storeVector(k.integer(i * strip.lanes), carried[history + i]);
}

static Kernel emitWeight(ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec) {
  std::string symbol =
      symbolOf({"cpu_seq_conv_grad_weight", std::to_string(spec.channels) + "x" + std::to_string(spec.taps)});
  int64_t blocks = channelBlocks(spec.channels);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer leaves = k.buffer(Elem::I32);
    Rows rows = k.rows();
    Buffer x = k.buffer(Elem::F32), dpre = k.buffer(Elem::F32), dw = k.buffer(Elem::F32), dbias = k.buffer(Elem::F32);
    auto takeStrip = [&](const Strip &strip) {
      int64_t width = strip.lanes * strip.vectors;
      auto addSequence = [&](Val sequence, const Buffer &sums) {
        Val base = rows.start.load(0);
        addWeights(strip, x, dpre, rows.start.load(sequence) - base, rows.start.load(sequence + 1) - base, sums);
      };
      int64_t size = (spec.taps + 1) * width;
      Buffer total = ref::sumOverLeaves(k, leaves, Scalar::F32, size, k.integer(size), addSequence);
      k.forEach(0, width, [&](Val c) {
        for (int64_t tap = 0; tap < spec.taps; ++tap)
          dw.store((strip.channel + c) * spec.taps + tap, total.load(c + tap * width));
        dbias.store(strip.channel + c, total.load(c + spec.taps * width));
      });
    };
    k.forEach(k.begin(), k.end(), [&](Val block) {
      forEachStrip(k, spec.channels, block, isa.lanes, stripVectors(isa),
                   [&](Val channel, int64_t lanes, int64_t vectors) {
                     takeStrip(Strip{k, spec, channel, lanes, vectors, Buffer()});
                   });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/blocks}};
}

ref::SeqConvGrad getOrEmitGrad(ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec) {
  ref::SeqConvSpec linear = spec;
  linear.silu = false;
  return {spec.silu ? emitActivation(kernels, isa, spec) : Kernel(), emitInput(kernels, isa, linear),
          emitWeight(kernels, isa, linear)};
}

} // namespace chimera::cpu
