// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingConv.h"
#include "codegen/cpu/Math.h"
#include "codegen/cpu/Reduce.h"
#include "codegen/ref/TrainingSupport.h"

#include <functional>

using namespace mlir;

namespace chimera::cpu {

/// Vectors of channels that are taken at a time: their weights and the rows that the taps reach stay in registers.
static int64_t stripVectors(const Isa &isa) {
  return isa.lanes == 16 ? 2 : 1;
}

namespace {

/// The rows of a launch with their x, and if tentative the kept ones with theirs.
struct Operands {
  Rows rows, keptRows;
  Buffer x, kept;
};

/// Some neighbouring channels.
struct Strip {
  KernelBuilder &k;
  const ref::SeqConvSpec &spec;
  Val channel;
  int64_t lanes, vectors;
  Buffer turned; // [taps][lanes * vectors]

  using Vals = SmallVector<Val>;

  int64_t history() const { return (spec.taps - 1) * vectors; }
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

  /// One row of a walk: how many rows lie before it that earlier taps may fall on, whether it is one itself for later
  /// rows (0 or 1), and if so its compact row among those.
  struct Step {
    Val row, count, isKept, keptRow;
  };
  /// Walks the rows of a sequence in order, carrying `initial` and what `body` makes of it.
  Vals walk(const Operands &in, Val sequence, Vals initial,
            function_ref<Vals(const Step &, ArrayRef<Val> carried)> body) const {
    Val base = in.rows.start.load(0);
    Val begin = in.rows.start.load(sequence) - base, end = in.rows.start.load(sequence + 1) - base;
    if (!spec.tentative)
      return k.foldMany(begin, end, initial, [&](Val row, ArrayRef<Val> carried) {
        return body({row, row - begin, k.integer(1), row}, carried);
      });
    Val firstKept = in.keptRows.start.load(sequence), keptBase = firstKept - in.keptRows.start.load(0);
    Val all = in.keptRows.start.load(sequence + 1) - firstKept;
    initial.push_back(k.integer(0));
    Vals ended = k.foldMany(begin, end, initial, [&](Val row, ArrayRef<Val> carried) {
      Val count = carried.back(), open = count < all;
      Val isKept = k.choose(
          open, [&] { return in.keptRows.index.load(firstKept + count) == ref::rowId(in.rows, row); },
          [&] { return open; });
      Val number = select(isKept, k.integer(1), k.integer(0));
      Vals next = body({row, count, number, keptBase + count}, carried.drop_back());
      next.push_back(count + number);
      return next;
    });
    ended.pop_back();
    return ended;
  }

  /// The same with the newest rows before each: `body` gets their vectors, the oldest first, and the row's own. Where
  /// there are none they are 0.
  Vals walkWindows(const Operands &in, Val sequence, ArrayRef<Val> initial,
                   function_ref<Vals(const Step &, ArrayRef<Val> window, ArrayRef<Val> carried)> body) const {
    Vals all = zeros(history());
    all.append(initial.begin(), initial.end());
    all = walk(in, sequence, all, [&](const Step &step, ArrayRef<Val> before) {
      Vals window(before.take_front(history())), earlier = window;
      window.append(load(in.x, step.row));
      Vals carried = body(step, window, before.drop_front(history()));
      Vals next(ArrayRef<Val>(window).drop_front(vectors));
      if (spec.tentative && history() > 0)
        next = k.foldMany(step.keptRow, step.keptRow + step.isKept, earlier, [&](Val row, ArrayRef<Val> old) {
          Vals shifted(old.drop_front(vectors));
          shifted.append(load(in.kept, row));
          return shifted;
        });
      next.append(carried);
      return next;
    });
    return Vals(ArrayRef<Val>(all).drop_front(history()));
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

static std::string symbolOf(const char *name, const ref::SeqConvSpec &spec) {
  return kernel::symbolOf({name, std::to_string(spec.channels) + "x" + std::to_string(spec.taps),
                           spec.silu ? "silu" : "", spec.tentative ? "tentative" : ""});
}

/// Emits a kernel whose blocks are some channels of a sequence each. `take` takes its buffers and returns what to do
/// for a strip of a sequence.
using StripBody = std::function<void(const Strip &, Val sequence)>;
static Kernel emitStrips(ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec, const char *name,
                         function_ref<StripBody(KernelBuilder &)> take) {
  int64_t blocks = channelBlocks(spec.channels);
  std::string symbol = symbolOf(name, spec);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    StripBody body = take(k);
    Buffer turned = k.scratch(Elem::F32, spec.taps * isa.lanes * stripVectors(isa));
    k.forEach(k.begin(), k.end(), [&](Val block) {
      forEachStrip(k, spec.channels, block % blocks, isa.lanes, stripVectors(isa),
                   [&](Val channel, int64_t lanes, int64_t vectors) {
                     body(Strip{k, spec, channel, lanes, vectors, turned}, block / blocks);
                   });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/blocks}};
}

static void takeKept(KernelBuilder &k, const ref::SeqConvSpec &spec, Operands &in) {
  if (spec.tentative)
    in.keptRows = k.rows(), in.kept = k.buffer(Elem::F32);
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec) {
  auto take = [&](KernelBuilder &k) -> StripBody {
    Operands in{k.rows(), {}, k.buffer(Elem::F32), {}};
    Buffer w = k.buffer(Elem::F32), bias = k.buffer(Elem::F32);
    takeKept(k, spec, in);
    Buffer y = k.buffer(Elem::F32);
    return [=](const Strip &strip, Val sequence) {
      SmallVector<Val> taps = strip.weights(w), biases = strip.loadAt(bias, strip.channel);
      strip.walkWindows(in, sequence, {}, [&](const Strip::Step &step, ArrayRef<Val> window, ArrayRef<Val>) {
        SmallVector<Val> sums = strip.convolve(taps, biases, window);
        if (strip.spec.silu)
          for (Val &sum : sums)
            sum = silu(sum);
        strip.store(y, step.row, sums);
        return SmallVector<Val>();
      });
    };
  };
  return emitStrips(kernels, isa, spec, "cpu_seq_conv", take);
}

/// The derivative of silu: s + x s (1 - s), s = sigmoid(x).
static Val siluSlope(Val x) {
  Val s = sigmoid(x), one = x.builder->real(1, x.value.getType());
  return fma(x * s, one - s, s);
}

static Kernel emitActivation(ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec) {
  auto take = [&](KernelBuilder &k) -> StripBody {
    Operands in{k.rows(), {}, k.buffer(Elem::F32), {}};
    Buffer w = k.buffer(Elem::F32), bias = k.buffer(Elem::F32);
    takeKept(k, spec, in);
    Buffer dy = k.buffer(Elem::F32), dpre = k.buffer(Elem::F32);
    return [=](const Strip &strip, Val sequence) {
      SmallVector<Val> taps = strip.weights(w), biases = strip.loadAt(bias, strip.channel);
      strip.walkWindows(in, sequence, {}, [&](const Strip::Step &step, ArrayRef<Val> window, ArrayRef<Val>) {
        SmallVector<Val> slopes = strip.convolve(taps, biases, window), upstream = strip.load(dy, step.row);
        for (int64_t v = 0; v < strip.vectors; ++v)
          slopes[v] = upstream[v] * siluSlope(slopes[v]);
        strip.store(dpre, step.row, slopes);
        return SmallVector<Val>();
      });
    };
  };
  return emitStrips(kernels, isa, spec, "cpu_seq_conv_grad_activation", take);
}

/// From the last row to the first, with the gradients of the rows after each, the nearest last.
static void inputGrad(const Strip &strip, const Operands &in, ArrayRef<Val> taps, Val sequence, const Buffer &dpre,
                      const Buffer &dx) {
  KernelBuilder &k = strip.k;
  Val base = in.rows.start.load(0);
  Val begin = in.rows.start.load(sequence) - base, end = in.rows.start.load(sequence + 1) - base;
  k.foldMany(begin, end, strip.zeros(strip.history()), [&](Val i, ArrayRef<Val> later) {
    Val row = end - 1 - (i - begin);
    SmallVector<Val> window(later), sums;
    window.append(strip.load(dpre, row));
    for (int64_t v = 0; v < strip.vectors; ++v)
      sums.push_back(taps[strip.history() + v] * window[strip.history() + v]);
    for (int64_t tap = strip.spec.taps - 1; tap-- > 0;)
      for (int64_t v = 0; v < strip.vectors; ++v)
        sums[v] = fma(taps[tap * strip.vectors + v], window[tap * strip.vectors + v], sums[v]);
    strip.store(dx, row, sums);
    return SmallVector<Val>(ArrayRef<Val>(window).drop_front(strip.vectors));
  });
}

/// Tentative: the row's own tap to dx; the others to the gradients of the newest kept rows, which are carried, the
/// oldest first, until no later row reads them.
static void tentativeInputGrad(const Strip &strip, const Operands &in, ArrayRef<Val> taps, Val sequence,
                               const Buffer &dpre, const Buffer &dx, const Buffer &dKept) {
  KernelBuilder &k = strip.k;
  int64_t vectors = strip.vectors, depth = strip.spec.taps - 1;
  Val base = in.keptRows.start.load(sequence) - in.keptRows.start.load(0);
  Val all = in.keptRows.start.load(sequence + 1) - in.keptRows.start.load(sequence);
  auto storeIfThere = [&](Val number, ArrayRef<Val> sums) {
    k.when(k.integer(0) <= number, [&] { strip.store(dKept, base + number, sums); });
  };
  auto sums =
      strip.walk(in, sequence, strip.zeros(strip.history()), [&](const Strip::Step &step, ArrayRef<Val> before) {
        SmallVector<Val> g = strip.load(dpre, step.row), own, next;
        for (int64_t v = 0; v < vectors; ++v)
          own.push_back(taps[strip.history() + v] * g[v]);
        strip.store(dx, step.row, own);
        for (int64_t i = 0; i < strip.history(); ++i)
          next.push_back(fma(taps[i], g[i % vectors], before[i]));
        if (depth == 0) {
          k.forEach(step.keptRow, step.keptRow + step.isKept,
                    [&](Val row) { strip.store(dKept, row, strip.zeros(vectors)); });
          return next;
        }
        return k.foldMany(k.integer(0), step.isKept, next, [&](Val, ArrayRef<Val> full) {
          storeIfThere(step.count - depth, full.take_front(vectors));
          SmallVector<Val> shifted(full.drop_front(vectors));
          shifted.append(strip.zeros(vectors));
          return shifted;
        });
      });
  for (int64_t place = 0; place < depth; ++place)
    storeIfThere(all - depth + place, ArrayRef<Val>(sums).slice(place * vectors, vectors));
}

static Kernel emitInput(ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec) {
  auto take = [&](KernelBuilder &k) -> StripBody {
    Operands in{k.rows(), {}, {}, {}};
    Buffer w = k.buffer(Elem::F32);
    if (spec.tentative)
      in.keptRows = k.rows();
    Buffer dpre = k.buffer(Elem::F32), dx = k.buffer(Elem::F32);
    Buffer dKept = spec.tentative ? k.buffer(Elem::F32) : Buffer();
    return [=](const Strip &strip, Val sequence) {
      SmallVector<Val> taps = strip.weights(w);
      strip.spec.tentative ? tentativeInputGrad(strip, in, taps, sequence, dpre, dx, dKept)
                           : inputGrad(strip, in, taps, sequence, dpre, dx);
    };
  };
  return emitStrips(kernels, isa, spec, "cpu_seq_conv_grad_input", take);
}

/// Adds the rows of a sequence to the sums [taps + 1][width] of the strip: by weights, then by bias. Taps before the
/// first row do not count, whatever the gradient is.
static void addWeights(const Strip &strip, const Operands &in, Val sequence, const Buffer &dpre, const Buffer &sums) {
  KernelBuilder &k = strip.k;
  int64_t taps = strip.spec.taps, vectors = strip.vectors, width = vectors * strip.lanes;
  SmallVector<Val> carried;
  for (int64_t tap = 0; tap <= taps; ++tap)
    carried.append(strip.loadAt(sums, k.integer(tap * width)));
  carried = strip.walkWindows(in, sequence, carried,
                              [&](const Strip::Step &step, ArrayRef<Val> window, ArrayRef<Val> before) {
                                SmallVector<Val> after, g = strip.load(dpre, step.row);
                                for (int64_t i = 0; i < taps * vectors; ++i) {
                                  Val sum = fma(g[i % vectors], window[i], before[i]);
                                  int64_t back = taps - 1 - i / vectors;
                                  after.push_back(back > 0 ? select(step.count < back, before[i], sum) : sum);
                                }
                                for (int64_t v = 0; v < vectors; ++v)
                                  after.push_back(before[taps * vectors + v] + g[v]);
                                return after;
                              });
  for (int64_t i = 0; i < (taps + 1) * vectors; ++i)
    sums.storeVector(k.integer(i * strip.lanes), carried[i]);
}

static Kernel emitWeight(ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec) {
  std::string symbol = symbolOf("cpu_seq_conv_grad_weight", spec);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer leaves = k.buffer(Elem::I32);
    Operands in{k.rows(), {}, k.buffer(Elem::F32), {}};
    takeKept(k, spec, in);
    Buffer dpre = k.buffer(Elem::F32), dw = k.buffer(Elem::F32), dbias = k.buffer(Elem::F32);
    auto takeStrip = [&](const Strip &strip) {
      int64_t width = strip.lanes * strip.vectors, size = (spec.taps + 1) * width;
      Buffer total =
          ref::sumOverLeaves(k, leaves, Scalar::F32, size, k.integer(size),
                             [&](Val sequence, const Buffer &sums) { addWeights(strip, in, sequence, dpre, sums); });
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
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/channelBlocks(spec.channels)}};
}

ref::SeqConvGrad getOrEmitGrad(ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec) {
  ref::SeqConvSpec linear = spec;
  linear.silu = false;
  return {spec.silu ? emitActivation(kernels, isa, spec) : Kernel(), emitInput(kernels, isa, linear),
          emitWeight(kernels, isa, linear)};
}

} // namespace chimera::cpu
