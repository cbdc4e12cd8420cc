// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/CacheLayout.h"

namespace chimera::cpu {

/// One sequence's rows into its cache.
static void appendSequence(KernelBuilder &k, const Isa &isa, const CacheSpec &spec, const Rows &rows,
                           const Buffer &keys, const Buffer &values, const Buffer &writes, const CacheBuffers &cache,
                           Val sequence) {
  int64_t words = wordsOf(spec), stride = spec.kvHeads * words;
  Val slot = rows.slot.load(sequence), base = cache.count.load(slot);
  Val start = rows.start.load(sequence), total = base + (rows.start.load(sequence + 1) - start);
  // A Ring forgets what lies more than a window back: that need not be written at all.
  Val first = spec.kind == CacheKind::Ring ? max(base, total - spec.window) : base;
  Val firstRow = start - rows.start.load(0) - base; // of entry 0
  k.forEach(first / blockEntries, (total + (blockEntries - 1)) / blockEntries, [&](Val number) {
    Val entry = number * blockEntries;
    Val low = max(first - entry, k.integer(0)), high = min(total - entry, k.integer(blockEntries));
    Val row = firstRow + entry + low;
    k.forEach(0, spec.kvHeads, [&](Val head) {
      Val offset = row * stride + head * words;
      fillBlock(k, isa, spec, keys.at(offset), values.at(offset), cache.block(slot, number, head), low, high);
    });
    if (spec.weighted) {
      CacheBlock block = cache.block(slot, number, k.integer(0));
      k.forEach(low, high, [&](Val place) { block.weights.store(place, writes.load(row + place - low)); });
    }
  });
  cache.count.store(slot, total);
}

Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const AppendSpec &spec) {
  std::string symbol = symbolOf({"cpu_append", nameOf(spec.cache)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer keys = k.buffer(Elem::I32), values = k.buffer(Elem::I32);
    Buffer writes = spec.cache.weighted ? k.buffer(Elem::I32) : Buffer();
    CacheBuffers cache(k, spec.cache);
    k.forEach(k.begin(), k.end(),
              [&](Val sequence) { appendSequence(k, isa, spec.cache, rows, keys, values, writes, cache, sequence); });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/1}};
}

} // namespace chimera::cpu
