// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Reduce.h"
#include "codegen/cpu/TrainingRowwise.h"
#include "codegen/ref/Math.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;

namespace chimera::cpu {

/// The rows of the longest sequence.
static Val longestSequence(KernelBuilder &k, const Buffer &start) {
  return k.fold(k.integer(0), k.sequences(), k.integer(0),
                [&](Val s, Val most) { return max(most, start.load(s + 1) - start.load(s)); });
}

Kernel getOrEmit(ModuleOp kernels, const Isa &, const RopeAnglesSpec &spec) {
  auto bytes = llvm::ArrayRef(reinterpret_cast<const uint8_t *>(spec.frequencies.data()),
                              spec.frequencies.size() * sizeof(double));
  auto half = static_cast<int64_t>(spec.frequencies.size());
  std::string hash = llvm::utohexstr(llvm::xxh3_64bits(bytes), /*LowerCase=*/true);
  std::string symbol = symbolOf({"cpu_rope_angles", std::to_string(half), hash});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), out = k.buffer(Elem::F32);
    Buffer frequencies = k.constants(symbol + "_frequencies", spec.frequencies);
    k.forEach(k.begin(), min(k.end(), longestSequence(k, start)), [&](Val position) {
      Val angle = intToFloat(position, k.f64Type());
      Buffer to = out.at(position * (2 * half));
      k.forEach(0, half, [&](Val j) {
        ref::SinCos turn = ref::sinCos(angle * frequencies.load(j));
        to.store(j, turn.cosine);
        to.store(j + half, turn.sine);
      });
    });
  });
  return {symbol, Grid{/*tokens=*/1}};
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const RopeTurnSpec &spec) {
  int64_t width = spec.heads * spec.headSize, half = spec.dims / 2, still = spec.headSize - spec.dims;
  std::string symbol = symbolOf({"cpu_rope_turn", spec.inverse ? "back" : "",
                                 std::to_string(spec.heads) + "x" + std::to_string(spec.headSize),
                                 "dims" + std::to_string(spec.dims), viewName(spec.x, width)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer table = k.buffer(Elem::F32), x = k.buffer(Elem::F32), out = k.buffer(Elem::F32);
    forEachRow(k, rows.start, [&](Val row) {
      Val position = rows.position.load(rows.index.load(rows.start.load(0) + row));
      Buffer angles = table.at(position * spec.dims), from = rowOf(x, spec.x, width, row), to = out.at(row * width);
      forEachVector(k, half, isa.lanes, [&](Val d, int64_t lanes) {
        Val cosine = angles.loadVector(d, lanes), sine = angles.loadVector(d + half, lanes);
        sine = spec.inverse ? -sine : sine;
        k.forEach(0, spec.heads, [&](Val head) {
          Val low = head * spec.headSize + d, high = low + half;
          Val a = from.loadVector(low, lanes), b = from.loadVector(high, lanes);
          to.storeVector(low, a * cosine - b * sine);
          to.storeVector(high, b * cosine + a * sine);
        });
      });
      if (still == 0)
        return;
      k.forEach(0, spec.heads, [&](Val head) {
        Val first = head * spec.headSize + spec.dims;
        forEachVector(k, still, isa.lanes,
                      [&](Val d, int64_t lanes) { to.storeVector(first + d, from.loadVector(first + d, lanes)); });
      });
    });
  });
  return {symbol, Grid{/*tokens=*/1}};
}

} // namespace chimera::cpu
