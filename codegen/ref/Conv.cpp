// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/kernel/KernelBuilder.h"
#include "codegen/ref/Kernels.h"
#include "codegen/ref/Math.h"

using namespace mlir;

namespace chimera::ref {

Kernel getOrEmit(ModuleOp kernels, const CausalConvSpec &spec) {
  std::string symbol =
      symbolOf({"causal_conv", nameOf(spec.type), std::to_string(spec.channels) + "x" + std::to_string(spec.taps),
                spec.silu ? "silu" : ""});
  int64_t channels = spec.channels, taps = spec.taps;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer x = k.buffer(spec.type), w = k.buffer(spec.type), bias = k.buffer(spec.type);
    Buffer tail = taps > 1 ? k.buffer(spec.type) : Buffer();
    Buffer y = k.buffer(spec.type);
    forEachRow(k, rows.start, [&](Val row) {
      Val first = rows.start.load(0);
      Val sequence = rows.sequence.load(rows.index.load(first + row));
      Val before = first + row - rows.start.load(sequence); // rows of this sequence before this one
      Val slotTail = rows.slot.load(sequence) * ((taps - 1) * channels);
      k.forEach(0, channels, [&](Val c) {
        Val sum = bias.load(c);
        for (int64_t tap = 0; tap < taps; ++tap) {
          int64_t back = taps - 1 - tap;
          auto current = [&] { return x.load((row - back) * channels + c); };
          // Row before - back of the sequence; -1 is the newest row of the tail, taps - 2.
          auto cached = [&] { return tail.load(slotTail + (before + tap) * channels + c); };
          Val value = back == 0 ? current() : k.choose(before < k.integer(back), cached, current);
          sum = fma(w.load(c * taps + tap), value, sum);
        }
        y.store(row * channels + c, spec.silu ? silu(sum) : sum);
      });
    });
  });
  return {symbol, Grid{/*tokens=*/1}};
}

Kernel getOrEmit(ModuleOp kernels, const ShiftTailSpec &spec) {
  std::string symbol =
      symbolOf({"shift_tail", nameOf(spec.type), std::to_string(spec.depth) + "x" + std::to_string(spec.channels)});
  int64_t channels = spec.channels;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Elem bits = rawElemOf(spec.type);
    Buffer x = k.buffer(bits), tails = k.buffer(bits);
    k.forEach(k.begin(), k.end(), [&](Val sequence) {
      Val first = rows.start.load(sequence) - rows.start.load(0);
      Val count = rows.start.load(sequence + 1) - rows.start.load(sequence);
      Buffer tail = tails.at(rows.slot.load(sequence) * (spec.depth * channels));
      // Row i takes row i + count of the two together: never one that this loop has overwritten.
      k.forEach(0, spec.depth, [&](Val i) {
        Val source = i + count;
        k.forEach(0, channels, [&](Val c) {
          Val value = k.choose(
              source < spec.depth, [&] { return tail.load(source * channels + c); },
              [&] { return x.load((first + source - spec.depth) * channels + c); });
          tail.store(i * channels + c, value);
        });
      });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/1}};
}

} // namespace chimera::ref
