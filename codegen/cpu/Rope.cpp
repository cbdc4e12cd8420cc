// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Reduce.h"
#include "codegen/ref/Math.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;

namespace chimera::cpu {

Kernel getOrEmit(ModuleOp kernels, const Isa &, const RopeTableSpec &spec) {
  auto bytes = llvm::ArrayRef(reinterpret_cast<const uint8_t *>(spec.frequencies.data()),
                              spec.frequencies.size() * sizeof(double));
  int64_t half = static_cast<int64_t>(spec.frequencies.size());
  std::string symbol =
      symbolOf({"cpu_rope_table", std::to_string(half), llvm::utohexstr(llvm::xxh3_64bits(bytes), /*LowerCase=*/true)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer out = k.buffer(Elem::F32), frequencies = k.constants(symbol + "_frequencies", spec.frequencies);
    forEachRow(k, rows.start, [&](Val row) {
      Val index = rows.index.load(rows.start.load(0) + row);
      Val position = intToFloat(rows.position.load(index), k.f64Type());
      Buffer to = out.at(index * (2 * half));
      k.forEach(0, half, [&](Val j) {
        ref::SinCos turn = ref::sinCos(position * frequencies.load(j));
        to.store(j, turn.cosine);
        to.store(j + half, turn.sine);
      });
    });
  });
  return {symbol, Grid{/*tokens=*/1}};
}

/// The heads of one row from `from` to `to`, turned by `angles` (cosines, then sines).
static void turnHeads(KernelBuilder &k, const Isa &isa, const RopeSpec &spec, int64_t heads, const Buffer &angles,
                      const Buffer &from, const Buffer &to) {
  int64_t half = spec.dims / 2, size = spec.headSize;
  forEachVector(k, half, isa.lanes, [&](Val d, int64_t lanes) {
    Val cosine = angles.loadVector(d, lanes), sine = angles.loadVector(d + half, lanes);
    k.forEach(0, heads, [&](Val head) {
      Val low = head * size + d, high = low + half;
      Val a = from.loadVector(low, lanes), b = from.loadVector(high, lanes);
      to.storeVector(low, a * cosine - b * sine);
      to.storeVector(high, b * cosine + a * sine);
    });
  });
  if (spec.dims < size)
    k.forEach(0, heads, [&](Val head) {
      Val first = head * size + spec.dims;
      forEachVector(k, size - spec.dims, isa.lanes,
                    [&](Val d, int64_t lanes) { to.storeVector(first + d, from.loadVector(first + d, lanes)); });
    });
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const RopeSpec &spec) {
  int64_t queryWidth = spec.heads * spec.headSize, keyWidth = spec.kvHeads * spec.headSize;
  std::string symbol =
      symbolOf({"cpu_rope",
                std::to_string(spec.heads) + "x" + std::to_string(spec.kvHeads) + "x" + std::to_string(spec.headSize),
                "dims" + std::to_string(spec.dims), viewName(spec.q, queryWidth), "k", viewName(spec.k, keyWidth), "v",
                viewName(spec.v, keyWidth), nameOf(spec.out)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer table = k.buffer(Elem::F32);
    bool all = spec.kvHeads > 0;
    Buffer q = k.buffer(Elem::F32), keys = all ? k.buffer(Elem::F32) : Buffer(), v = all ? k.buffer(Elem::F32) : keys;
    Buffer qOut = k.buffer(spec.out), keysOut = all ? k.buffer(spec.out) : keys, vOut = all ? k.buffer(spec.out) : keys;
    forEachRow(k, rows.start, [&](Val row) {
      Buffer angles = table.at(rows.index.load(rows.start.load(0) + row) * spec.dims);
      turnHeads(k, isa, spec, spec.heads, angles, rowOf(q, spec.q, queryWidth, row), qOut.at(row * queryWidth));
      if (!all)
        return;
      turnHeads(k, isa, spec, spec.kvHeads, angles, rowOf(keys, spec.k, keyWidth, row), keysOut.at(row * keyWidth));
      Buffer from = rowOf(v, spec.v, keyWidth, row), to = vOut.at(row * keyWidth);
      forEachVector(k, keyWidth, isa.lanes,
                    [&](Val i, int64_t lanes) { to.storeVector(i, from.loadVector(i, lanes)); });
    });
  });
  return {symbol, Grid{/*tokens=*/1}};
}

} // namespace chimera::cpu
