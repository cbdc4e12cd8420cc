// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/AttentionBlocks.h"
#include "codegen/cpu/Math.h"

#include <cassert>

using namespace mlir;

namespace chimera::cpu {

namespace {

/// What the kernels of an AttendSpec share: own rows and their lines.
struct AttendKernel {
  KernelBuilder &k;
  const Isa &isa;
  const AttendSpec &spec;
  Rows own, keyRows;

  AttendKernel(KernelBuilder &k, const Isa &isa, const AttendSpec &spec)
      : k(k), isa(isa), spec(spec), own(k.rows()), keyRows(k.rows()) {}

  int64_t headSize() const { return spec.cache.headSize; }
  int64_t group() const { return spec.heads / spec.cache.kvHeads; }
  Val sequenceOf(Val row) const { return own.sequence.load(own.index.load(own.start.load(0) + row)); }

  /// The entries of a sequence before its key rows of this step.
  Val baseOf(const Buffer &count, Val sequence) const {
    Val entries = count.load(own.slot.load(sequence));
    if (!spec.committed)
      return entries;
    return entries - (keyRows.start.load(sequence + 1) - keyRows.start.load(sequence));
  }

  /// The entry of an own row.
  Val entryOf(Val base, Val sequence, Val row) const {
    Val j = own.start.load(0) + row;
    Val place = spec.separate ? own.index.load(j) - keyRows.start.load(sequence) : j - own.start.load(sequence);
    return base + place;
  }

  /// Fills in `count` lines from line `first` of the rows from `row` on.
  void fill(const Lines &lines, const Buffer &q, Val base, Val sequence, Val head, Val row, Val first,
            Val count) const {
    k.forEach(k.integer(0), count, [&](Val i) {
      Val line = first + i, lineRow = row + line / group();
      Val from = queryOffset(lineRow, head, line), to = i * paddedHead(headSize());
      forEachColumns(k, isa, headSize(), [&](Val column, Val mask) {
        lines.queries.storeVector(to + column, loadColumns(q, from + column, isa.lanes, mask));
      });
      Val last = entryOf(base, sequence, lineRow), low = k.integer(0);
      lines.last.store(i, last);
      lines.first.store(i, spec.cache.kind == CacheKind::Ring ? max(last - (spec.cache.window - 1), low) : low);
    });
  }

  /// Where the query, and the output, of a line lies.
  Val queryOffset(Val row, Val head, Val line) const {
    return (row * spec.heads + head * group() + line % group()) * headSize();
  }

  /// Merges a part of a line, (greatest, total, sums), into the line's state.
  void merge(const LineState &into, Val line, Val greatestOfPart, Val totalOfPart, const Buffer &sums) const {
    Val before = into.greatest.load(line), best = greatest(before, greatestOfPart), shift = shiftOf(best);
    Val keep = exp(before - shift), factor = exp(greatestOfPart - shift);
    into.greatest.store(line, best);
    into.total.store(line, into.total.load(line) * keep + totalOfPart * factor);
    Val keeps = splat(keep, isa.lanes), factors = splat(factor, isa.lanes);
    forEachColumns(k, isa, headSize(), [&](Val column, Val mask) {
      Val at = line * paddedHead(headSize()) + column;
      Val added = loadColumns(sums, column, isa.lanes, mask);
      into.sums.storeVector(at, fma(added, factors, into.sums.loadVector(at, isa.lanes) * keeps));
    });
  }

  /// out[offset ..] = sums / total of a line.
  void finish(const LineState &state, Val line, const Buffer &out, Val offset) const {
    Val totals = splat(state.total.load(line), isa.lanes);
    forEachColumns(k, isa, headSize(), [&](Val column, Val mask) {
      Val sums = state.sums.loadVector(line * paddedHead(headSize()) + column, isa.lanes);
      storeColumns(out, offset + column, sums / totals, mask);
    });
  }
};

/// The kernel of one launch.
struct WholeKernel : AttendKernel {
  Buffer q, keys, values, writes, out;
  std::optional<CacheBuffers> cache;
  Lines lines;
  LineState state, part; // part: List only

  WholeKernel(KernelBuilder &k, const Isa &isa, const AttendSpec &spec) : AttendKernel(k, isa, spec) {
    q = k.buffer(spec.cache.operand);
    if (!spec.committed) {
      keys = k.buffer(Elem::I32);
      values = k.buffer(Elem::I32);
      if (spec.cache.weighted)
        writes = k.buffer(Elem::I32);
    }
    cache.emplace(k, spec.cache);
    out = k.buffer(spec.out);
    int64_t most = mostLines(headSize());
    lines = Lines::inScratch(k, most, headSize());
    state = LineState::inScratch(k, most, headSize());
    if (spec.cache.kind == CacheKind::List)
      part = LineState::inScratch(k, most, headSize());
  }

  /// Rows of a block of the grid.
  static int64_t blockRows(const AttendSpec &spec) {
    return std::max<int64_t>(1, mostLines(spec.cache.headSize) / (spec.heads / spec.cache.kvHeads));
  }

  void attendList(Val slot, Val head, Val count) const {
    Val last = lines.last.load(count - 1);
    auto attendTo = [&](Val number, const LineState &result) {
      attendPart(k, isa, spec, cache->pages, cache->pagesOf(slot), head, /*heads=*/k.integer(1), number, lines, result,
                 count);
    };
    attendTo(k.integer(0), state);
    k.forEach(k.integer(1), min(last / spanEntries + 1, k.integer(parts)), [&](Val number) {
      part.clear(k, isa, count, headSize());
      attendTo(number, part);
      k.forEach(k.integer(0), count, [&](Val line) {
        k.when(firstOfPart(number) <= lines.last.load(line), [&] {
          merge(state, line, part.greatest.load(line), part.total.load(line),
                part.sums.at(line * paddedHead(headSize())));
        });
      });
    });
  }

  /// The lines `first` and up of the rows from `row` on, all of one sequence.
  void attend(Val sequence, Val base, Val head, Val row, Val first, Val count) const {
    Val slot = own.slot.load(sequence);
    fill(lines, q, base, sequence, head, row, first, count);
    state.clear(k, isa, count, headSize());
    if (spec.cache.kind == CacheKind::List) {
      attendList(slot, head, count);
    } else if (spec.committed) {
      attendRing(k, isa, spec, *cache, slot, head, nullptr, lines, state, count);
    } else {
      int64_t words = wordsOf(spec.cache);
      Val firstKey = keyRows.start.load(sequence) - keyRows.start.load(0);
      Val offset = firstKey * (spec.cache.kvHeads * words) + head * words;
      StepRows rows{keys.at(offset), values.at(offset), spec.cache.weighted ? writes.at(firstKey) : Buffer(), base};
      attendRing(k, isa, spec, *cache, slot, head, &rows, lines, state, count);
    }
    k.forEach(k.integer(0), count, [&](Val i) {
      Val line = first + i;
      finish(state, i, out, queryOffset(row + line / group(), head, line));
    });
  }

  void emit() const {
    int64_t most = mostLines(headSize());
    Val rows = k.rowCount(own.start), rowBlocks = (rows + (blockRows(spec) - 1)) / blockRows(spec);
    k.forEach(k.begin(), min(k.end(), rowBlocks * spec.cache.kvHeads), [&](Val block) {
      Val head = block / rowBlocks, firstRow = block % rowBlocks * blockRows(spec);
      Val end = min(firstRow + blockRows(spec), rows);
      k.forEach(sequenceOf(firstRow), sequenceOf(end - 1) + 1, [&](Val sequence) {
        Val start = own.start.load(0), base = baseOf(cache->count, sequence);
        Val row = max(firstRow, own.start.load(sequence) - start);
        Val count = (min(end, own.start.load(sequence + 1) - start) - row) * group();
        k.forEach(
            k.integer(0), count,
            [&](Val first) { attend(sequence, base, head, row, first, min(count - first, k.integer(most))); }, most);
      });
    });
  }
};

/// The first kernel of the split form: a block is (own row * headBlocks + some heads) * parts + part.
struct PartsKernel : AttendKernel {
  Buffer q, partial;
  std::optional<CacheBuffers> cache;
  Lines lines;
  LineState state;

  PartsKernel(KernelBuilder &k, const Isa &isa, const AttendSpec &spec) : AttendKernel(k, isa, spec) {
    q = k.buffer(spec.cache.operand);
    cache.emplace(k, spec.cache);
    partial = k.buffer(Elem::F32);
    int64_t most = std::max(mostLines(headSize()), headsTogether(spec) * group());
    lines = Lines::inScratch(k, most, headSize());
    state = LineState::inScratch(k, most, headSize());
  }

  void store(Val i, Val line, Val part) const {
    Buffer record = partial.at((line * parts + part) * partialWidth(headSize()));
    forEachColumns(k, isa, headSize(), [&](Val column, Val mask) {
      Val sums = state.sums.loadVector(i * paddedHead(headSize()) + column, isa.lanes);
      storeColumns(record, column, sums, mask);
    });
    record.store(k.integer(headSize()), state.greatest.load(i));
    record.store(k.integer(headSize() + 1), state.total.load(i));
  }

  /// A row's part at some heads: the lines `first` and up of each, `count` of them.
  void attend(Val row, Val sequence, Val base, Val firstHead, Val heads, Val part, Val first, Val count) const {
    k.forEach(k.integer(0), heads, [&](Val i) {
      fill(lines.at(i * count, headSize()), q, base, sequence, firstHead + i, row, first, count);
    });
    state.clear(k, isa, count * heads, headSize());
    attendPart(k, isa, spec, cache->pages, cache->pagesOf(own.slot.load(sequence)), firstHead, heads, part, lines,
               state, count);
    Val line = row * spec.heads + firstHead * group() + first;
    k.forEach(k.integer(0), count * heads, [&](Val i) { store(i, line + i, part); });
  }

  /// Into how many pieces the heads of a block are cut when only the first `used` parts have entries: the blocks of the
  /// other parts take the pieces, so that there is work for several threads.
  Val piecesFor(Val used) const {
    constexpr int64_t enough = 12;
    static_assert(enough <= parts, "there are blocks for the pieces of the used parts");
    int64_t heads = headsTogether(spec);
    Val pieces = k.integer(1);
    for (int64_t next = 2; next <= heads; ++next)
      if (heads % next == 0)
        pieces = select(used * next <= k.integer(enough), k.integer(next), pieces);
    return pieces;
  }

  void emit() const {
    int64_t most = mostLines(headSize()), heads = headsTogether(spec), headBlocks = spec.cache.kvHeads / heads;
    k.forEach(k.begin(), min(k.end(), k.rowCount(own.start) * (headBlocks * parts)), [&](Val block) {
      Val place = block % parts, headBlock = block / parts % headBlocks, row = block / (parts * headBlocks);
      Val sequence = sequenceOf(row), base = baseOf(cache->count, sequence);
      Val used = min(entryOf(base, sequence, row) / spanEntries + 1, k.integer(parts)), pieces = piecesFor(used);
      k.when(place < used * pieces, [&] {
        Val each = k.integer(heads) / pieces, firstHead = headBlock * heads + place / used * each;
        // All of a group are one step unless they are more than fit.
        k.forEach(
            k.integer(0), k.integer(group()),
            [&](Val first) {
              attend(row, sequence, base, firstHead, each, place % used, first,
                     min(k.integer(group()) - first, k.integer(most)));
            },
            most);
      });
    });
  }
};

/// The second one: a block is own row * kvHeads + head.
struct MergeKernel : AttendKernel {
  using AttendKernel::AttendKernel;

  /// The first part as it is.
  void load(const Buffer &record, const LineState &state) const {
    forEachColumns(k, isa, headSize(), [&](Val column, Val mask) {
      state.sums.storeVector(column, loadColumns(record, column, isa.lanes, mask));
    });
    state.greatest.store(k.integer(0), record.load(headSize()));
    state.total.store(k.integer(0), record.load(headSize() + 1));
  }

  void emit() const {
    int64_t kvHeads = spec.cache.kvHeads;
    Buffer length = k.buffer(Elem::I64), partial = k.buffer(Elem::F32), out = k.buffer(spec.out);
    LineState state = LineState::inScratch(k, 1, headSize());
    Val zero = k.integer(0);
    k.forEach(k.begin(), min(k.end(), k.rowCount(own.start) * kvHeads), [&](Val block) {
      Val row = block / kvHeads, sequence = sequenceOf(row);
      Val used = min(entryOf(baseOf(length, sequence), sequence, row) / spanEntries + 1, k.integer(parts));
      k.forEach(block * group(), (block + 1) * group(), [&](Val line) {
        auto recordOf = [&](Val part) { return partial.at((line * parts + part) * partialWidth(headSize())); };
        load(recordOf(zero), state);
        k.forEach(k.integer(1), used, [&](Val part) {
          Buffer record = recordOf(part);
          merge(state, zero, record.load(headSize()), record.load(headSize() + 1), record);
        });
        finish(state, zero, out, line * headSize());
      });
    });
  }
};

} // namespace

static std::string nameOf(const AttendSpec &spec) {
  return nameOf(spec.cache) + "_heads" + std::to_string(spec.heads) + "_scale" + kernel::nameOf(spec.scale) +
         (spec.softCap ? "_" + capName(spec.softCap) : "") + (spec.separate ? "_separate" : "") +
         (spec.committed ? "_committed" : "") + "_" + kernel::nameOf(spec.out);
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const AttendSpec &spec) {
  assert((spec.committed || spec.cache.kind == CacheKind::Ring) && "a List is read after it is appended to");
  std::string symbol = symbolOf({"cpu_attend", nameOf(spec)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) { WholeKernel(k, isa, spec).emit(); });
  int64_t rows = WholeKernel::blockRows(spec), kvHeads = spec.cache.kvHeads;
  // At least ceil(tokens / rows) * kvHeads; what lies beyond the own rows does nothing.
  return {symbol, Grid{/*tokens=*/kvHeads, /*seqs=*/0, /*outputs=*/0, /*constant=*/(rows - 1) * kvHeads, rows}};
}

SplitAttend getOrEmitSplit(ModuleOp kernels, const Isa &isa, const AttendSpec &spec) {
  assert(spec.committed && spec.cache.kind == CacheKind::List && "only a committed List is split");
  std::string first = symbolOf({"cpu_attend_parts", nameOf(spec)}),
              second = symbolOf({"cpu_attend_merge", nameOf(spec)});
  emitKernel(kernels, first, [&](KernelBuilder &k) { PartsKernel(k, isa, spec).emit(); });
  emitKernel(kernels, second, [&](KernelBuilder &k) { MergeKernel(k, isa, spec).emit(); });
  return {{first, Grid{/*tokens=*/spec.cache.kvHeads / headsTogether(spec) * parts}},
          {second, Grid{/*tokens=*/spec.cache.kvHeads}}};
}

} // namespace chimera::cpu
