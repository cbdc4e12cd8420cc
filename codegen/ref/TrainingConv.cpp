// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/Math.h"
#include "codegen/ref/TrainingKernels.h"
#include "codegen/ref/TrainingSupport.h"

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

static constexpr Grid perRow{/*tokens=*/1}, perSequence{/*tokens=*/0, /*seqs=*/1};

static std::string nameOf(const SeqConvSpec &spec, const char *name) {
  return symbolOf({name, nameOf(spec.type), std::to_string(spec.channels) + "x" + std::to_string(spec.taps),
                   spec.silu ? "silu" : "", spec.tentative ? "tentative" : ""});
}

namespace {

/// The rows that earlier taps fall on: those of the launch itself, or kept ones.
struct Past {
  Rows rows;
  Buffer x;

  /// How many of them come before a row of the launch, and the compact row after the last of those.
  struct Place {
    Val count, end;
  };
  Place before(KernelBuilder &k, const Rows &own, Val row, bool tentative) const {
    Val id = rowId(own, row), sequence = own.sequence.load(id), base = rows.start.load(0);
    Val first = rows.start.load(sequence) - base;
    Val count = tentative ? countBelow(k, rows, sequence, id) : row - first;
    return {count, first + count};
  }
};

} // namespace

static Past takePast(KernelBuilder &k, const SeqConvSpec &spec, const Rows &rows, const Buffer &x) {
  if (!spec.tentative)
    return {rows, x};
  Rows kept = k.rows();
  return {kept, k.buffer(spec.type)};
}

/// bias + sum_k w[k] x[k] of one channel of a row, by fma, k ascending; taps before the first row are on zeros.
static Val convolve(KernelBuilder &k, const SeqConvSpec &spec, const Buffer &x, const Buffer &w, const Buffer &bias,
                    const Past &past, const Past::Place &place, Val row, Val c) {
  Val sum = bias.load(c);
  for (int64_t tap = 0; tap < spec.taps; ++tap) {
    int64_t back = spec.taps - 1 - tap;
    auto earlier = [&] { return past.x.load((place.end - back) * spec.channels + c); };
    Val value = back == 0 ? x.load(row * spec.channels + c)
                          : k.choose(place.count < back, [&] { return k.real(0, spec.type); }, earlier);
    sum = fma(w.load(c * spec.taps + tap), value, sum);
  }
  return sum;
}

Kernel getOrEmit(ModuleOp kernels, const SeqConvSpec &spec) {
  std::string symbol = nameOf(spec, "seq_conv");
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer x = k.buffer(spec.type), w = k.buffer(spec.type), bias = k.buffer(spec.type);
    Past past = takePast(k, spec, rows, x);
    Buffer y = k.buffer(spec.type);
    forEachRow(k, rows.start, [&](Val row) {
      Past::Place place = past.before(k, rows, row, spec.tentative);
      k.forEach(0, spec.channels, [&](Val c) {
        Val sum = convolve(k, spec, x, w, bias, past, place, row, c);
        y.store(row * spec.channels + c, spec.silu ? silu(sum) : sum);
      });
    });
  });
  return {symbol, perRow};
}

static Kernel emitActivation(ModuleOp kernels, const SeqConvSpec &spec) {
  std::string symbol = nameOf(spec, "seq_conv_grad_activation");
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer x = k.buffer(spec.type), w = k.buffer(spec.type), bias = k.buffer(spec.type);
    Past past = takePast(k, spec, rows, x);
    Buffer dy = k.buffer(spec.type), dpre = k.buffer(spec.type);
    forEachRow(k, rows.start, [&](Val row) {
      Past::Place place = past.before(k, rows, row, spec.tentative);
      k.forEach(0, spec.channels, [&](Val c) {
        Val pre = toFloat(convolve(k, spec, x, w, bias, past, place, row, c), k.f64Type());
        Val i = row * spec.channels + c;
        dpre.store(i, toFloat(dy.load(i), k.f64Type()) * siluSlope(pre));
      });
    });
  });
  return {symbol, perRow};
}

/// Walks the rows of a sequence: `body` gets a compact row, how many rows of the past come before it, and the compact
/// row of the past after the last of those.
static void walk(KernelBuilder &k, const SeqConvSpec &spec, const Rows &rows, const Rows &past, Val sequence,
                 function_ref<void(Val row, Val count, Val end)> body) {
  Val firstPast = past.start.load(sequence), base = firstPast - past.start.load(0);
  Val all = past.start.load(sequence + 1) - firstPast;
  k.fold(rows.start.load(sequence), rows.start.load(sequence + 1), k.integer(0), [&](Val j, Val count) {
    body(j - rows.start.load(0), count, base + count);
    if (!spec.tentative)
      return count + 1;
    Val open = count < all;
    Val isKept =
        k.choose(open, [&] { return past.index.load(firstPast + count) == rows.index.load(j); }, [&] { return open; });
    return select(isKept, count + 1, count);
  });
}

/// Adds what a row's taps on earlier rows give: to the compact rows end-1, end-2, ... of `to`, as many as there are.
static void addToPast(KernelBuilder &k, const SeqConvSpec &spec, const Buffer &w, const Buffer &dpre, Val row,
                      Val count, Val end, const Buffer &to) {
  for (int64_t back = 1; back < spec.taps; ++back)
    k.when(k.integer(back) <= count, [&] {
      k.forEach(0, spec.channels, [&](Val c) {
        Val i = (end - back) * spec.channels + c;
        Val weight = w.load(c * spec.taps + (spec.taps - 1 - back));
        to.store(i, fma(weight, dpre.load(row * spec.channels + c), to.load(i)));
      });
    });
}

/// The spec of the launches that silu does not matter to.
static SeqConvSpec linearOf(SeqConvSpec spec) {
  spec.silu = false;
  return spec;
}

static Kernel emitInput(ModuleOp kernels, const SeqConvSpec &spec) {
  std::string symbol = nameOf(linearOf(spec), "seq_conv_grad_input");
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer w = k.buffer(spec.type);
    Rows past = spec.tentative ? k.rows() : rows;
    Buffer dpre = k.buffer(spec.type), dx = k.buffer(spec.type), dPast = spec.tentative ? k.buffer(spec.type) : dx;
    k.forEach(k.begin(), k.end(), [&](Val sequence) {
      Val base = past.start.load(0);
      fillZero(k, dPast, (past.start.load(sequence) - base) * spec.channels,
               (past.start.load(sequence + 1) - base) * spec.channels, spec.type);
      walk(k, spec, rows, past, sequence, [&](Val row, Val count, Val end) {
        // The first that a row of dx gets: rows that read it come later.
        k.forEach(0, spec.channels, [&](Val c) {
          Val i = row * spec.channels + c;
          dx.store(i, w.load(c * spec.taps + (spec.taps - 1)) * dpre.load(i));
        });
        addToPast(k, spec, w, dpre, row, count, end, dPast);
      });
    });
  });
  return {symbol, perSequence};
}

static Kernel emitWeight(ModuleOp kernels, const SeqConvSpec &spec) {
  std::string symbol = nameOf(linearOf(spec), "seq_conv_grad_weight");
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer leaves = k.buffer(Elem::I32);
    Rows rows = k.rows();
    Buffer x = k.buffer(spec.type);
    Past past = takePast(k, spec, rows, x);
    Buffer dpre = k.buffer(spec.type), dw = k.buffer(spec.type), dbias = k.buffer(spec.type);
    k.forEach(k.begin(), k.end(), [&](Val c) {
      // The taps, then the bias.
      Val width = k.integer(spec.taps + 1), bias = k.integer(spec.taps);
      auto addSequence = [&](Val sequence, const Buffer &sums) {
        walk(k, spec, rows, past.rows, sequence, [&](Val row, Val count, Val end) {
          Val g = dpre.load(row * spec.channels + c);
          auto add = [&](int64_t tap, const Buffer &from, Val source) {
            Val at = k.integer(tap);
            sums.store(at, fma(g, from.load(source * spec.channels + c), sums.load(at)));
          };
          for (int64_t back = spec.taps - 1; back > 0; --back)
            k.when(k.integer(back) <= count, [&] { add(spec.taps - 1 - back, past.x, end - back); });
          add(spec.taps - 1, x, row);
          sums.store(bias, sums.load(bias) + g);
        });
      };
      Buffer total = sumOverLeaves(k, leaves, spec.type, spec.taps + 1, width, addSequence);
      k.forEach(0, spec.taps, [&](Val tap) { dw.store(c * spec.taps + tap, total.load(tap)); });
      dbias.store(c, total.load(bias));
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/spec.channels}};
}

SeqConvGrad getOrEmitGrad(ModuleOp kernels, const SeqConvSpec &spec) {
  return {spec.silu ? emitActivation(kernels, spec) : Kernel(), emitInput(kernels, spec), emitWeight(kernels, spec)};
}

} // namespace chimera::ref
