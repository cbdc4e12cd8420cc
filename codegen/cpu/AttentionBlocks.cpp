// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/AttentionBlocks.h"

using namespace mlir;

namespace chimera::cpu {

static constexpr int64_t spanBlocks = spanEntries / blockEntries;
static_assert(spanBlocks <= runBlocks);

Val firstOfPart(Val part) {
  return part * spanEntries;
}

int64_t headsTogether(const AttendSpec &spec) {
  int64_t kvHeads = spec.cache.kvHeads, most = 1;
  int64_t bytes = blockEntries * spec.cache.headSize * byteSize(spec.cache.operand);
  if (spec.heads / kvHeads > tileLines)
    return 1;
  for (int64_t heads = 2; heads <= std::min<int64_t>(16, (int64_t{256} << 10) / bytes); ++heads)
    if (kvHeads % heads == 0)
      most = heads;
  return most;
}

void attendPart(KernelBuilder &k, const Isa &isa, const AttendSpec &spec, const Buffer &pages,
                const Buffer &pagesOfSlot, Val firstHead, Val heads, Val part, const Lines &lines,
                const LineState &state, Val count) {
  Type pointer = pages.base().value.getType(), i64 = k.i64Type();
  std::string symbol =
      symbolOf({"cpu_attend_part", nameOf(spec.cache), "scale" + kernel::nameOf(spec.scale), capName(spec.softCap)});
  auto function = emitInternal(
      k.module, symbol, {pointer, pointer, pointer, pointer, pointer, pointer, i64, pointer, pointer, i64, i64, i64},
      {}, [&](KernelBuilder &f) {
        Lines lines = Lines::fromOperands(f, 0);
        LineState state = LineState::fromOperands(f, 3);
        Val count = f.parameter(6), firstHead = f.parameter(9), heads = f.parameter(10);
        Buffer pages(f, f.parameter(7).value, Elem::I8), table(f, f.parameter(8).value, Elem::I32);
        RunScratch scratch = RunScratch::make(f, spec.cache.headSize, headsTogether(spec));
        Val blocks = lines.last.load(count - 1) / blockEntries + 1;
        f.forEach(
            f.parameter(11), (blocks + (spanBlocks - 1)) / spanBlocks,
            [&](Val span) {
              Val first = span * spanBlocks;
              attendRun(f, isa, spec, scratch, lines, state, heads, count, first, min(first + spanBlocks, blocks),
                        [&](Val number, Val head) {
                          return blockInPage(spec.cache, pages, table.load(number), firstHead + head);
                        });
            },
            parts);
        return SmallVector<Val>();
      });
  keepCalls(function);
  SmallVector<Val> operands = lines.operands();
  operands.append(state.operands());
  operands.append({count, pages.base(), pagesOfSlot.base(), firstHead, heads, part});
  k.call(function, operands);
}

namespace {

/// A Ring's block with this step's rows in it, put together in scratch.
struct PackedBlock {
  KernelBuilder &k;
  const Isa &isa;
  const CacheSpec &spec;
  CacheBlock scratch;

  PackedBlock(KernelBuilder &k, const Isa &isa, const CacheSpec &spec) : k(k), isa(isa), spec(spec) {
    int64_t words = blockEntries * wordsOf(spec);
    scratch = {k.scratch(Elem::I32, words), k.scratch(Elem::I32, words), k.scratch(Elem::I32, blockEntries)};
  }

  void copy(const Buffer &from, const Buffer &to, int64_t words) const {
    k.forEach(
        k.integer(0), k.integer(words), [&](Val i) { to.storeVector(i, from.loadVector(i, isa.lanes)); }, isa.lanes);
  }

  /// The entries of `old` below the step's first one, then the step's up to `last`.
  void pack(const CacheBlock &old, const StepRows &rows, Val start, Val last) const {
    k.when(start < rows.base, [&] {
      copy(old.keys, scratch.keys, blockEntries * wordsOf(spec));
      copy(old.values, scratch.values, blockEntries * wordsOf(spec));
      if (spec.weighted)
        copy(old.weights, scratch.weights, blockEntries);
    });
    Val low = max(rows.base - start, k.integer(0)), high = min(last + 1 - start, k.integer(blockEntries));
    Val row = start + low - rows.base, offset = row * (spec.kvHeads * wordsOf(spec));
    fillBlock(k, isa, spec, rows.keys.at(offset), rows.values.at(offset), scratch, low, high);
    if (spec.weighted)
      k.forEach(low, high, [&](Val place) { scratch.weights.store(place, rows.weights.load(row + place - low)); });
  }
};

} // namespace

void attendRing(KernelBuilder &k, const Isa &isa, const AttendSpec &spec, const CacheBuffers &cache, Val slot, Val head,
                const StepRows *rows, const Lines &lines, const LineState &state, Val count) {
  RunScratch scratch = RunScratch::make(k, spec.cache.headSize);
  Val last = lines.last.load(count - 1), begin = lines.first.load(0) / blockEntries, end = last / blockEntries + 1;
  auto inCache = [&](Val number, Val = {}) { return cache.block(slot, number, head); };
  if (!rows) {
    k.forEach(
        begin, end,
        [&](Val first) {
          attendRun(k, isa, spec, scratch, lines, state, /*heads=*/k.integer(1), count, first,
                    min(first + runBlocks, end), inCache);
        },
        runBlocks);
    return;
  }
  PackedBlock packed(k, isa, spec.cache);
  k.forEach(begin, end, [&](Val number) {
    Val start = number * blockEntries, whole = min(start + (blockEntries - 1), last) < rows->base;
    CacheBlock block = inCache(number);
    k.either(whole, [] {}, [&] { packed.pack(block, *rows, start, last); });
    auto chosen = [&](const Buffer &fromCache, const Buffer &fromScratch) {
      return Buffer(k, select(whole, fromCache.base(), fromScratch.base()).value, Elem::I32);
    };
    CacheBlock taken{chosen(block.keys, packed.scratch.keys), chosen(block.values, packed.scratch.values),
                     spec.cache.weighted ? chosen(block.weights, packed.scratch.weights) : Buffer()};
    attendBlock(k, isa, spec, scratch, lines, state, count, taken, start, taken, k.integer(0) == 1);
  });
}

} // namespace chimera::cpu
