// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/AttentionRun.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace chimera::cpu {

int64_t mostLines(int64_t headSize) {
  return std::clamp<int64_t>(48 * 128 / headSize / tileLines * tileLines, 2 * tileLines, 48);
}

RunScratch RunScratch::make(KernelBuilder &k, int64_t headSize, int64_t heads) {
  int64_t lines = std::max(mostLines(headSize), heads * runBlocks * tileLines);
  return {k.scratch(Elem::F32, lines * blockEntries), k.scratch(Elem::F32, lines)};
}

/// What the two functions of a block have in their names.
static std::string nameOf(const AttendSpec &spec) {
  return kernel::nameOf(spec.cache.operand) + "_" + std::to_string(spec.cache.headSize) + "_scale" +
         kernel::nameOf(spec.scale) + (spec.softCap ? "_" + capName(spec.softCap) : "") +
         (spec.cache.weighted ? "_weighted" : "");
}

/// Calls `body` with the first line and the size of each tile of which a line may attend to the block.
static void forEachTile(KernelBuilder &k, const Lines &lines, Val count, Val start,
                        function_ref<void(Val first, int64_t size)> body) {
  k.forEach(
      k.integer(0), count,
      [&](Val first) {
        Val size = min(count - first, k.integer(tileLines));
        Val reaches = start <= lines.last.load(first + size - 1);
        Val begins = lines.first.load(first) < start + blockEntries;
        k.when(reaches & begins, [&] {
          for (int64_t each = tileLines; each > 0; --each)
            k.when(size == each, [&] { body(first, each); });
        });
      },
      tileLines);
}

/// The scores of a block and all lines.
static void score(KernelBuilder &k, const Isa &isa, const AttendSpec &spec, const Lines &lines, Val count,
                  const CacheBlock &block, Val start, const Buffer &scores, const Buffer &next, Val hasNext) {
  Type pointer = scores.base().value.getType(), i64 = k.i64Type(), i1 = k.ops.getI1Type();
  auto function = emitInternal(
      k.module, symbolOf({"cpu_attend_score", nameOf(spec)}),
      {pointer, pointer, pointer, i64, pointer, pointer, i64, pointer, pointer, i1}, {}, [&](KernelBuilder &f) {
        Lines lines = Lines::fromOperands(f, 0);
        Val start = f.parameter(6), prefetch = f.parameter(9);
        Buffer scores(f, f.parameter(7).value, Elem::F32);
        forEachTile(f, lines, f.parameter(3), start, [&](Val first, int64_t size) {
          // Lines ascend: the first one starts first, the last one ends last.
          Val from = placesOf(lines, first, start).first, to = placesOf(lines, first + (size - 1), start).second;
          f.call(scoreTile(f.module, isa, spec, size),
                 {lines.at(first, spec.cache.headSize).queries.base(), f.parameter(4), f.parameter(5),
                  scores.at(first * blockEntries).base(), from, to, f.parameter(8), prefetch & (first == 0)});
        });
        return SmallVector<Val>();
      });
  keepCalls(function);
  SmallVector<Val> operands = lines.operands();
  Val weights = spec.cache.weighted ? block.weights.base() : block.keys.base();
  operands.append({count, block.keys.base(), weights, start, scores.base(), next.base(), hasNext});
  k.call(function, operands);
}

namespace {

/// The body of the function that takes a block's values into the sums of all lines.
struct Accumulation {
  KernelBuilder &k;
  const Isa &isa;
  const CacheSpec &cache;
  Lines lines;
  Val count, start, prefetch;
  Buffer sums, p, factors, values, next;

  Val sumsOf(Val line) const { return sums.at(line * paddedHead(cache.headSize)).base(); }
  Val pOf(Val line) const { return p.at(line * blockEntries).base(); }

  void scale() const {
    k.forEach(k.integer(0), count, [&](Val line) {
      Val factor = splat(factors.load(line), isa.lanes), first = line * paddedHead(cache.headSize);
      forEachColumns(k, isa, cache.headSize, [&](Val column, Val) {
        sums.storeVector(first + column, sums.loadVector(first + column, isa.lanes) * factor);
      });
    });
  }

  /// The places low .. high-1 of one line.
  void addLine(Val line, Val low, Val high) const {
    k.when(low < high, [&] {
      k.call(accumulateTile(k.module, isa, cache, 1),
             {sumsOf(line), pOf(line), values.base(), low, high, next.base(), k.integer(0) == 1});
    });
  }

  /// The places that all lines of a tile attend to together, those before and after line by line.
  void addTile(Val first, int64_t size) const {
    Val from = placesOf(lines, first + (size - 1), start).first, to = placesOf(lines, first, start).second;
    // Without such places, all that a line attends to is done at once, before.
    Val shared = from < to, end = k.integer(blockEntries);
    Val before = select(shared, from, end), after = select(shared, to, end);
    auto forEachLine = [&](function_ref<void(Val, Val, Val)> body) {
      if (size > 1)
        k.forEach(first, first + size, [&](Val line) {
          auto [low, high] = placesOf(lines, line, start);
          body(line, low, high);
        });
    };
    forEachLine([&](Val line, Val low, Val high) { addLine(line, low, min(before, high)); });
    k.call(accumulateTile(k.module, isa, cache, size),
           {sumsOf(first), pOf(first), values.base(), from, to, next.base(), prefetch & (first == 0)});
    forEachLine([&](Val line, Val low, Val high) { addLine(line, max(low, after), high); });
  }

  void emit() const {
    scale();
    forEachTile(k, lines, count, start, [&](Val first, int64_t size) { addTile(first, size); });
  }
};

} // namespace

/// The sums of all lines with a block's values.
static void accumulate(KernelBuilder &k, const Isa &isa, const CacheSpec &cache, const Lines &lines,
                       const LineState &state, Val count, const CacheBlock &block, Val start, const Buffer &p,
                       const Buffer &factors, const Buffer &next, Val hasNext) {
  Type pointer = p.base().value.getType(), i64 = k.i64Type(), i1 = k.ops.getI1Type();
  auto function = emitInternal(
      k.module, symbolOf({"cpu_attend_accumulate", kernel::nameOf(cache.operand), std::to_string(cache.headSize)}),
      {pointer, pointer, pointer, pointer, i64, pointer, i64, pointer, pointer, pointer, i1}, {},
      [&](KernelBuilder &f) {
        auto buffer = [&](unsigned i, Elem elem) { return Buffer(f, f.parameter(i).value, elem); };
        Accumulation{f,
                     isa,
                     cache,
                     Lines::fromOperands(f, 0),
                     f.parameter(4),
                     f.parameter(6),
                     f.parameter(10),
                     buffer(3, Elem::F32),
                     buffer(7, Elem::F32),
                     buffer(8, Elem::F32),
                     buffer(5, elemOf(cache.operand)),
                     buffer(9, Elem::I8)}
            .emit();
        return SmallVector<Val>();
      });
  keepCalls(function);
  SmallVector<Val> operands = lines.operands();
  operands.append(
      {state.sums.base(), count, block.values.base(), start, p.base(), factors.base(), next.base(), hasNext});
  k.call(function, operands);
}

static void soften(KernelBuilder &k, const Isa &isa, const Lines &lines, const LineState &state, Val count,
                   const Buffer &scores, const Buffer &factors, Val start) {
  k.call(softenLines(k.module, isa), {lines.first.base(), lines.last.base(), state.greatest.base(), state.total.base(),
                                      count, scores.base(), factors.base(), start});
}

void attendBlock(KernelBuilder &k, const Isa &isa, const AttendSpec &spec, const RunScratch &scratch,
                 const Lines &lines, const LineState &state, Val count, const CacheBlock &block, Val start,
                 const CacheBlock &next, Val hasNext) {
  score(k, isa, spec, lines, count, block, start, scratch.scores, next.keys, hasNext);
  soften(k, isa, lines, state, count, scratch.scores, scratch.factors, start);
  accumulate(k, isa, spec.cache, lines, state, count, block, start, scratch.scores, scratch.factors, next.values,
             hasNext);
}

namespace {

/// A run in three phases.
struct Run {
  KernelBuilder &k;
  const Isa &isa;
  const AttendSpec &spec;
  const RunScratch &scratch;
  Lines lines;
  LineState state;
  Val heads, count, first, end;
  function_ref<CacheBlock(Val number, Val head)> locate;

  /// What a phase knows of a block of one head, and the blocks after it.
  struct Place {
    Val number, head;
    Lines lines;
    LineState state;
    Buffer scores, factors;
  };

  /// In the order of memory: the heads of a block are neighbours.
  void forEachBlock(function_ref<void(const Place &)> body) const {
    k.forEach(first, end, [&](Val number) {
      k.forEach(k.integer(0), heads, [&](Val head) {
        Val line = head * count, block = (number - first) * (heads * tileLines) + line;
        body({number, head, lines.at(line, spec.cache.headSize), state.at(line, spec.cache.headSize),
              scratch.scores.at(block * blockEntries), scratch.factors.at(block)});
      });
    });
  }

  /// The block after one, and whether there is one.
  std::pair<CacheBlock, Val> after(const Place &place) const {
    Val sameNumber = place.head + 1 < heads, number = select(sameNumber, place.number, place.number + 1);
    Val exists = number < end;
    return {locate(select(exists, number, first), select(sameNumber, place.head + 1, k.integer(0))), exists};
  }

  void emit() const {
    forEachBlock([&](const Place &place) {
      auto [next, exists] = after(place);
      // After the last keys come the first values.
      Buffer nextKeys(k, select(exists, next.keys.base(), next.values.base()).value, Elem::I32);
      score(k, isa, spec, place.lines, count, locate(place.number, place.head), place.number * blockEntries,
            place.scores, nextKeys, k.integer(0) == 0);
    });
    forEachBlock([&](const Place &place) {
      soften(k, isa, place.lines, place.state, count, place.scores, place.factors, place.number * blockEntries);
    });
    forEachBlock([&](const Place &place) {
      auto [next, exists] = after(place);
      accumulate(k, isa, spec.cache, place.lines, place.state, count, locate(place.number, place.head),
                 place.number * blockEntries, place.scores, place.factors, next.values, exists);
    });
  }
};

} // namespace

void attendRun(KernelBuilder &k, const Isa &isa, const AttendSpec &spec, const RunScratch &scratch, const Lines &lines,
               const LineState &state, Val heads, Val count, Val first, Val end,
               function_ref<CacheBlock(Val, Val)> locate) {
  auto inPhases = [&] { Run{k, isa, spec, scratch, lines, state, heads, count, first, end, locate}.emit(); };
  auto blockByBlock = [&] {
    Val head = k.integer(0);
    k.forEach(first, end, [&](Val number) {
      Val hasNext = number + 1 < end;
      attendBlock(k, isa, spec, scratch, lines, state, count, locate(number, head), number * blockEntries,
                  locate(select(hasNext, number + 1, number), head), hasNext);
    });
  };
  k.either(k.integer(tileLines) < count, blockByBlock, inPhases);
}

} // namespace chimera::cpu
