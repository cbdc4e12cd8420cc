// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/AttentionBlocks.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace chimera::cpu {

static constexpr int64_t spanBlocks = spanEntries / blockEntries;

int64_t mostLines(int64_t headSize) {
  return std::clamp<int64_t>(48 * 128 / headSize / tileLines * tileLines, 2 * tileLines, 48);
}

Val firstOfPart(Val part) {
  return part * spanEntries;
}

namespace {

/// What a call takes a block from: its head's keys, values and weights, its first entry, and the block to prefetch.
struct BlockOperands {
  Val keys, values, weights, start, nextKeys, nextValues, prefetch;
};

/// An internal function whose operands are lines (3), their state (3), their count, then its own.
struct LinesFunction {
  static SmallVector<Type> types(MLIRContext *context, ArrayRef<Type> rest) {
    SmallVector<Type> all(6, LLVM::LLVMPointerType::get(context));
    all.push_back(IntegerType::get(context, 64));
    all.append(rest.begin(), rest.end());
    return all;
  }
  static SmallVector<Val> operands(const Lines &lines, const LineState &state, Val count, ArrayRef<Val> rest) {
    SmallVector<Val> all = lines.operands();
    all.append(state.operands());
    all.push_back(count);
    all.append(rest.begin(), rest.end());
    return all;
  }
};

} // namespace

static std::string nameOf(const AttendSpec &spec) {
  return kernel::nameOf(spec.cache.operand) + "_" + std::to_string(spec.cache.kvHeads) + "x" +
         std::to_string(spec.cache.headSize) + "_scale" + kernel::nameOf(spec.scale) +
         (spec.cache.weighted ? "_weighted" : "");
}

/// Tiles of up to tileLines lines, less those that attend to nothing in the block.
static void emitTiles(KernelBuilder &k, const Isa &isa, const AttendSpec &spec) {
  Lines lines = Lines::fromOperands(k, 0);
  LineState state = LineState::fromOperands(k, 3);
  Val count = k.parameter(6), start = k.parameter(10), prefetch = k.parameter(13);
  int64_t headSize = spec.cache.headSize;
  k.forEach(
      k.integer(0), count,
      [&](Val first) {
        Val rest = min(count - first, k.integer(tileLines));
        Val reaches = start <= lines.last.load(first + rest - 1);
        Val starts = lines.first.load(first) < start + blockEntries;
        Lines tileLinesHere = lines.at(first, headSize);
        LineState tileState = state.at(first, headSize);
        k.when(reaches & starts, [&] {
          for (int64_t size = tileLines; size > 0; --size)
            k.when(rest == size, [&] {
              SmallVector<Val> operands = tileLinesHere.operands();
              operands.append(tileState.operands());
              for (unsigned i = 7; i < 13; ++i)
                operands.push_back(k.parameter(i));
              operands.push_back(prefetch & (first == 0));
              k.call(attentionTile(k.module, isa, spec, size), operands);
            });
        });
      },
      tileLines);
}

/// Takes one block into all lines.
static void attendBlock(KernelBuilder &k, const Isa &isa, const AttendSpec &spec, const Lines &lines,
                        const LineState &state, Val count, const BlockOperands &block) {
  Type pointer = lines.queries.base().value.getType(), i1 = k.ops.getI1Type();
  auto function = emitInternal(
      k.module, symbolOf({"cpu_attend_block", nameOf(spec)}),
      LinesFunction::types(k.module.getContext(), {pointer, pointer, pointer, k.i64Type(), pointer, pointer, i1}), {},
      [&](KernelBuilder &f) {
        emitTiles(f, isa, spec);
        return SmallVector<Val>();
      });
  keepCalls(function);
  k.call(function, LinesFunction::operands(lines, state, count,
                                           {block.keys, block.values, block.weights, block.start, block.nextKeys,
                                            block.nextValues, block.prefetch}));
}

/// Operands of its own: pages, the slot's pages, head, part.
static void emitPart(KernelBuilder &k, const Isa &isa, const AttendSpec &spec) {
  Lines lines = Lines::fromOperands(k, 0);
  LineState state = LineState::fromOperands(k, 3);
  Val count = k.parameter(6), head = k.parameter(9), part = k.parameter(10);
  Buffer pages(k, k.parameter(7).value, Elem::I8), table(k, k.parameter(8).value, Elem::I32);
  Val blocks = lines.last.load(count - 1) / blockEntries + 1;
  k.forEach(
      part, (blocks + (spanBlocks - 1)) / spanBlocks,
      [&](Val span) {
        Val first = span * spanBlocks, end = min(first + spanBlocks, blocks);
        k.forEach(first, end, [&](Val number) {
          Val next = select(number + 1 < end, number + 1, first + parts * spanBlocks);
          Val hasNext = next < blocks;
          CacheBlock block = blockInPage(spec.cache, pages, table.load(number), head);
          CacheBlock after = blockInPage(spec.cache, pages, table.load(select(hasNext, next, number)), head);
          Val weights = spec.cache.weighted ? block.weights.base() : block.keys.base();
          attendBlock(k, isa, spec, lines, state, count,
                      {block.keys.base(), block.values.base(), weights, number * blockEntries, after.keys.base(),
                       after.values.base(), hasNext});
        });
      },
      parts);
}

void attendPart(KernelBuilder &k, const Isa &isa, const AttendSpec &spec, const Buffer &pages,
                const Buffer &pagesOfSlot, Val head, Val part, const Lines &lines, const LineState &state, Val count) {
  Type pointer = pages.base().value.getType(), i64 = k.i64Type();
  auto function = emitInternal(k.module, symbolOf({"cpu_attend_part", nameOf(spec)}),
                               LinesFunction::types(k.module.getContext(), {pointer, pointer, i64, i64}), {},
                               [&](KernelBuilder &f) {
                                 emitPart(f, isa, spec);
                                 return SmallVector<Val>();
                               });
  keepCalls(function);
  k.call(function, LinesFunction::operands(lines, state, count, {pages.base(), pagesOfSlot.base(), head, part}));
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
  std::optional<PackedBlock> packed;
  if (rows)
    packed.emplace(k, isa, spec.cache);
  Val last = lines.last.load(count - 1), never = k.integer(0) == 1;
  k.forEach(lines.first.load(0) / blockEntries, last / blockEntries + 1, [&](Val number) {
    Val start = number * blockEntries;
    CacheBlock block = cache.block(slot, number, head);
    Val keys = block.keys.base(), values = block.values.base();
    Val weights = spec.cache.weighted ? block.weights.base() : keys;
    if (!rows) {
      CacheBlock after = cache.block(slot, number + 1, head);
      attendBlock(k, isa, spec, lines, state, count,
                  {keys, values, weights, start, after.keys.base(), after.values.base(), start + blockEntries <= last});
      return;
    }
    Val inCache = min(start + (blockEntries - 1), last) < rows->base;
    k.either(inCache, [] {}, [&] { packed->pack(block, *rows, start, last); });
    auto chosen = [&](Val fromCache, const Buffer &fromScratch) {
      return select(inCache, fromCache, fromScratch.base());
    };
    keys = chosen(keys, packed->scratch.keys);
    values = chosen(values, packed->scratch.values);
    weights = spec.cache.weighted ? chosen(weights, packed->scratch.weights) : keys;
    attendBlock(k, isa, spec, lines, state, count, {keys, values, weights, start, keys, values, never});
  });
}

} // namespace chimera::cpu
