// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Math.h"
#include "codegen/cpu/Reduce.h"

using namespace mlir;

namespace chimera::cpu {

namespace {

/// Some neighbouring channels of one sequence.
struct ConvStrip {
  KernelBuilder &k;
  const ConvSpec &spec;
  Buffer x, w, bias, tail, out; // x, tail and out start at the sequence's first row
  Val count = {};               // rows of the sequence
  Val channel = {};             // the first of the strip
  int64_t lanes = 0, vectors = 0;

  ConvStrip at(Val first, int64_t width, int64_t number) const {
    ConvStrip strip = *this;
    strip.channel = first;
    strip.lanes = width;
    strip.vectors = number;
    return strip;
  }

  void take() const {
    convolve();
    if (spec.taps > 1)
      shiftTail();
  }

  /// x or the tail at the row that is `place - (taps - 1)` after the sequence's first, at the strip's first channel.
  Buffer history(Val place) const {
    int64_t depth = spec.taps - 1, stride = spec.x.stride ? spec.x.stride : spec.channels;
    Val base = x.at((place - depth) * stride + channel).base();
    if (depth > 0) {
      Val old = tail.at(place * spec.channels + channel).base();
      base = select(place < depth, old, base);
    }
    return Buffer(k, base.value, Elem::F32);
  }

  /// The weights of a vector's channels, [channels][taps] in memory, as a vector a tap.
  SmallVector<Val> weights(Val first) const {
    SmallVector<Val> taps;
    Buffer from = w.at(first * spec.taps);
    for (int64_t tap = 0; tap < spec.taps; ++tap) {
      Val column = from.loadVector(k.integer(0), lanes);
      for (int64_t part = 0; part < spec.taps; ++part) {
        // Lane c is element c * taps + tap of the whole; this part has those from part * lanes on.
        SmallVector<int64_t> places;
        for (int64_t c = 0; c < lanes; ++c) {
          int64_t place = c * spec.taps + tap - part * lanes;
          places.push_back(place >= 0 && place < lanes ? lanes + place : c);
        }
        column = shuffleLanes(column, from.loadVector(k.integer(part * lanes), lanes), places);
      }
      taps.push_back(column);
    }
    return taps;
  }

  void convolve() const {
    SmallVector<SmallVector<Val>> taps;
    SmallVector<Val> biases;
    for (int64_t v = 0; v < vectors; ++v) {
      taps.push_back(weights(channel + v * lanes));
      biases.push_back(bias.loadVector(channel + v * lanes, lanes));
    }
    k.forEach(k.integer(0), count, [&](Val row) {
      SmallVector<Val> sums = biases;
      SmallVector<Buffer> sources;
      for (int64_t tap = 0; tap < spec.taps; ++tap)
        sources.push_back(history(row + tap));
      for (int64_t v = 0; v < vectors; ++v) {
        Val newest;
        for (int64_t tap = 0; tap < spec.taps; ++tap) {
          newest = sources[tap].loadVector(k.integer(v * lanes), lanes);
          sums[v] = fma(taps[v][tap], newest, sums[v]);
        }
        Val y = spec.silu ? silu(sums[v]) : sums[v];
        out.storeVector(row * spec.channels + channel + v * lanes, spec.addInput ? newest + y : y);
      }
    });
  }

  /// tail = the last rows of (tail ++ x): row i comes from a later one, which this loop has not written yet.
  void shiftTail() const {
    k.forEach(0, spec.taps - 1, [&](Val i) {
      Buffer from = history(i + count);
      for (int64_t v = 0; v < vectors; ++v)
        tail.storeVector(i * spec.channels + channel + v * lanes, from.loadVector(k.integer(v * lanes), lanes));
    });
  }
};

} // namespace

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const ConvSpec &spec) {
  int64_t blocks = channelBlocks(spec.channels);
  std::string symbol = symbolOf({"cpu_conv", std::to_string(spec.channels) + "x" + std::to_string(spec.taps),
                                 spec.silu ? "silu" : "", spec.addInput ? "add" : "", viewName(spec.x, spec.channels)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer x = k.buffer(Elem::F32), w = k.buffer(Elem::F32), bias = k.buffer(Elem::F32);
    Buffer tails = spec.taps > 1 ? k.buffer(Elem::F32) : Buffer();
    Buffer out = k.buffer(Elem::F32);
    k.forEach(k.begin(), k.end(), [&](Val block) {
      Val sequence = block / blocks, part = block % blocks;
      Val begin = rows.start.load(sequence), row = begin - rows.start.load(0);
      Buffer tail = spec.taps > 1 ? tails.at(rows.slot.load(sequence) * ((spec.taps - 1) * spec.channels)) : Buffer();
      ConvStrip strip{k, spec, rowOf(x, spec.x, spec.channels, row), w, bias, tail, out.at(row * spec.channels)};
      strip.count = rows.start.load(sequence + 1) - begin;
      forEachStrip(k, spec.channels, part, isa.lanes, isa.lanes == 16 ? 4 : 2,
                   [&](Val channel, int64_t lanes, int64_t vectors) { strip.at(channel, lanes, vectors).take(); });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/blocks}};
}

} // namespace chimera::cpu
