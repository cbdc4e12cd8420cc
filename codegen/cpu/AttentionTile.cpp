// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/AttentionTile.h"

#include "codegen/cpu/Math.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <limits>

using namespace mlir;

namespace chimera::cpu {

Val shiftOf(Val greatest) {
  KernelBuilder &k = *greatest.builder;
  Val lowest = k.real(-std::numeric_limits<double>::infinity(), greatest.value.getType());
  return select(greatest == lowest, k.real(0, greatest.value.getType()), greatest);
}

namespace {

/// Vectors in which `lines` accumulators each stay in registers beside their operands.
int64_t vectorsFor(const Isa &isa, int64_t lines) {
  return std::min<int64_t>(8, (isa.lanes == 16 ? 24 : 12) / lines);
}

/// A tile's function under construction.
struct Tile {
  KernelBuilder &k;
  const Isa &isa;
  const AttendSpec &spec;
  int64_t count; // lines
  Lines lines;
  LineState state;
  Buffer keys, values, weights, nextKeys, nextValues, scores; // scores [count][64]
  Val start, prefetch;

  int64_t headSize() const { return spec.cache.headSize; }
  bool isBF16() const { return spec.cache.operand == Scalar::BF16; }

  /// Asks for `bytes` of the next block from byte `offset` of `next`.
  void prefetchBytes(const Buffer &next, Val offset, int64_t bytes) const {
    k.when(prefetch, [&] {
      for (int64_t at = 0; at < bytes; at += 64)
        next.prefetch(offset + at, /*locality=*/2);
    });
  }

  /// Products of a line's query at dimension d and the keys of `vectors` vectors of entries.
  void addProducts(SmallVector<Val> &sums, Val d, ArrayRef<Val> keyVectors) const {
    auto vectors = static_cast<int64_t>(keyVectors.size());
    for (int64_t i = 0; i < count; ++i) {
      Val q = splat(lines.queries.load(d + i * paddedHead(headSize())), isa.lanes);
      for (int64_t j = 0; j < vectors; ++j)
        sums[i * vectors + j] = fma(q, keyVectors[j], sums[i * vectors + j]);
    }
  }

  /// q . k for the entries at `place` and up, d ascending from +0.
  SmallVector<Val> dots(Val place, int64_t vectors) const {
    Val zero = k.real(0, k.vectorType(k.f32Type(), isa.lanes));
    SmallVector<Val> sums(count * vectors, zero);
    // A step is a row of words: a dimension of f32 or a pair of bf16.
    return k.foldMany(k.integer(0), k.integer(wordsOf(spec.cache)), sums, [&](Val word, ArrayRef<Val> carried) {
      SmallVector<Val> sums(carried), loaded, low, high;
      Val row = word * blockEntries + place;
      prefetchBytes(nextKeys, row * 4, vectors * isa.lanes * 4);
      for (int64_t j = 0; j < vectors; ++j)
        loaded.push_back(keys.loadVector(row + j * isa.lanes, isa.lanes));
      if (!isBF16()) {
        for (Val v : loaded)
          low.push_back(bitcast(v, k.f32Type()));
        addProducts(sums, word, low);
        return sums;
      }
      for (Val v : loaded) {
        low.push_back(bitcast(shiftLeft(v, 16), k.f32Type()));
        high.push_back(bitcast(v & constantLike(v, -0x10000), k.f32Type()));
      }
      addProducts(sums, word * 2, low);
      addProducts(sums, word * 2 + 1, high);
      return sums;
    });
  }

  /// All scores of the block, those of entries that are not attended to as they come.
  void storeScores() const {
    int64_t vectors = 1;
    while (2 * vectors <= std::min(vectorsFor(isa, count), blockEntries / isa.lanes))
      vectors *= 2;
    Val scale = k.real(spec.scale, k.vectorType(k.f32Type(), isa.lanes));
    k.forEach(
        k.integer(0), k.integer(blockEntries),
        [&](Val place) {
          SmallVector<Val> sums = dots(place, vectors);
          for (int64_t i = 0; i < count; ++i)
            for (int64_t j = 0; j < vectors; ++j) {
              Val at = place + j * isa.lanes, score = sums[i * vectors + j] * scale;
              if (spec.cache.weighted)
                score = score + weights.loadVector(at, isa.lanes);
              scores.storeVector(at + i * blockEntries, score);
            }
        },
        vectors * isa.lanes);
  }

  /// The places of the block that a line attends to: from, and one past the last; from >= to if there are none.
  std::pair<Val, Val> placesOf(Val line) const {
    return {max(lines.first.load(line) - start, k.integer(0)),
            min(lines.last.load(line) + 1 - start, k.integer(blockEntries))};
  }

  /// Puts -infinity where the line does not attend to.
  void maskScores(const Buffer &row, Val from, Val to) const {
    Val lowest = k.real(-std::numeric_limits<double>::infinity(), k.vectorType(k.f32Type(), isa.lanes));
    for (int64_t at = 0; at < blockEntries; at += isa.lanes) {
      Val s = row.loadVector(k.integer(at), isa.lanes);
      s = select(lanesBelow(from - at, isa.lanes), lowest, select(lanesBelow(to - at, isa.lanes), s, lowest));
      row.storeVector(k.integer(at), s);
    }
  }

  /// Combines neighbours 16 lanes apart first, so that 8 lanes give the same bits as 16.
  template <typename Combine> static Val tree(SmallVector<Val> parts, int64_t lanes, Combine combine) {
    auto halves = static_cast<size_t>(16 / lanes);
    while (parts.size() > halves) {
      SmallVector<Val> next;
      for (size_t i = 0; i < parts.size(); i += 2 * halves)
        for (size_t j = 0; j < halves; ++j)
          next.push_back(combine(parts[i + j], parts[i + halves + j]));
      parts = next;
    }
    return parts.size() == 1 ? parts[0] : combine(parts[0], parts[1]);
  }

  /// Turns a line's scores into p, in place, and takes them into its greatest, total and (by scaling) sums.
  void soften(Val line) const {
    Buffer row = scores.at(line * blockEntries);
    SmallVector<Val> p;
    for (int64_t at = 0; at < blockEntries; at += isa.lanes)
      p.push_back(row.loadVector(k.integer(at), isa.lanes));
    Val before = state.greatest.load(line);
    Val best = greatest(before, reduceGreatest(tree(p, isa.lanes, [](Val a, Val b) { return greatest(a, b); })));
    Val shift = shiftOf(best), shifts = splat(shift, isa.lanes);
    for (auto [j, value] : llvm::enumerate(p)) {
      value = exp(value - shifts);
      row.storeVector(k.integer(static_cast<int64_t>(j) * isa.lanes), value);
    }
    Val sum = reduceSum(tree(p, isa.lanes, [](Val a, Val b) { return a + b; }));
    Val factor = exp(before - shift);
    state.greatest.store(line, best);
    state.total.store(line, state.total.load(line) * factor + sum);
    Val factors = splat(factor, isa.lanes), sums = line * paddedHead(headSize());
    forEachColumns(k, isa, headSize(), [&](Val column, Val) {
      Val at = sums + column;
      state.sums.storeVector(at, state.sums.loadVector(at, isa.lanes) * factors);
    });
  }

  void softenAll() const {
    k.forEach(0, count, [&](Val line) {
      auto [from, to] = placesOf(line);
      k.when(from < to, [&, from = from, to = to] {
        k.when(to - from < blockEntries, [&] { maskScores(scores.at(line * blockEntries), from, to); });
        soften(line);
      });
    });
  }
};

/// sums += p v over the places from .. to-1, ascending, for `lines` lines of p [.][64] and sums [.][padded].
struct Accumulation {
  KernelBuilder &k;
  const Isa &isa;
  const CacheSpec &cache;
  int64_t lines;
  Buffer sums, p, values, next;
  Val from, to, prefetch; // prefetch: null for never

  /// `vectors` vectors of columns, the last one with `tail` columns unless that is 0.
  void chunk(Val column, int64_t vectors, int64_t tail) const {
    int64_t lanes = isa.lanes, padded = paddedHead(cache.headSize), bytes = byteSize(cache.operand);
    SmallVector<Val> initial;
    for (int64_t i = 0; i < lines; ++i)
      for (int64_t j = 0; j < vectors; ++j)
        initial.push_back(sums.loadVector(column + (i * padded + j * lanes), lanes));
    Val mask = tail ? lanesBelow(k.integer(tail), lanes) : Val();
    auto result = k.foldMany(from, to, initial, [&](Val place, ArrayRef<Val> carried) {
      SmallVector<Val> next(carried), row;
      Val at = place * cache.headSize + column;
      if (prefetch.value)
        k.when(prefetch, [&] {
          for (int64_t byte = 0; byte < vectors * lanes * bytes; byte += 64)
            this->next.prefetch(at * bytes + byte, /*locality=*/2);
        });
      for (int64_t j = 0; j < vectors; ++j)
        row.push_back(loadColumns(values, at + j * lanes, lanes, j + 1 == vectors ? mask : Val()));
      for (int64_t i = 0; i < lines; ++i) {
        Val weight = splat(p.load(place + i * blockEntries), lanes);
        for (int64_t j = 0; j < vectors; ++j)
          next[i * vectors + j] = fma(weight, row[j], next[i * vectors + j]);
      }
      return next;
    });
    for (int64_t i = 0; i < lines; ++i)
      for (int64_t j = 0; j < vectors; ++j)
        sums.storeVector(column + (i * padded + j * lanes), result[i * vectors + j]);
  }

  void emit() const {
    int64_t most = vectorsFor(isa, lines), whole = cache.headSize / isa.lanes, tail = cache.headSize % isa.lanes;
    int64_t chunks = whole / most, rest = whole % most + (tail ? 1 : 0);
    k.forEach(
        k.integer(0), k.integer(chunks * most * isa.lanes), [&](Val column) { chunk(column, most, 0); },
        most * isa.lanes);
    if (rest)
      chunk(k.integer(chunks * most * isa.lanes), rest, tail);
  }
};

} // namespace

/// Accumulation of one line: operands sums, p, values, from, to.
static func::FuncOp accumulateLine(ModuleOp module, const Isa &isa, const CacheSpec &cache) {
  Type pointer = LLVM::LLVMPointerType::get(module.getContext()), i64 = IntegerType::get(module.getContext(), 64);
  auto function = emitInternal(
      module, symbolOf({"cpu_attend_line", kernel::nameOf(cache.operand), std::to_string(cache.headSize)}),
      {pointer, pointer, pointer, i64, i64}, {}, [&](KernelBuilder &k) {
        Buffer sums(k, k.parameter(0).value, Elem::F32), p(k, k.parameter(1).value, Elem::F32);
        Buffer values(k, k.parameter(2).value, elemOf(cache.operand));
        Accumulation{k, isa, cache, 1, sums, p, values, Buffer(), k.parameter(3), k.parameter(4), Val()}.emit();
        return SmallVector<Val>();
      });
  keepCalls(function);
  return function;
}

/// The values of a block into the sums of a tile: the places that all lines attend to together, those before and after
/// line by line.
static void accumulate(const Tile &t) {
  KernelBuilder &k = t.k;
  func::FuncOp one = accumulateLine(k.module, t.isa, t.spec.cache);
  // Lines ascend: the last one starts last, the first one ends first.
  Val from = t.placesOf(k.integer(t.count - 1)).first, to = t.placesOf(k.integer(0)).second;
  Val shared = from < to, end = k.integer(blockEntries);
  Val lowEnd = select(shared, from, end), highStart = select(shared, to, end);
  auto each = [&](function_ref<std::pair<Val, Val>(Val, Val)> places) {
    k.forEach(0, t.count, [&](Val line) {
      auto [lineFrom, lineTo] = t.placesOf(line);
      auto [low, high] = places(lineFrom, lineTo);
      k.when(low < high, [&, low = low, high = high] {
        k.call(one, {t.state.sums.at(line * paddedHead(t.headSize())).base(), t.scores.at(line * blockEntries).base(),
                     t.values.base(), low, high});
      });
    });
  };
  if (t.count > 1)
    each([&](Val lineFrom, Val lineTo) { return std::pair(lineFrom, min(lowEnd, lineTo)); });
  Accumulation{k, t.isa, t.spec.cache, t.count, t.state.sums, t.scores, t.values, t.nextValues, from, to, t.prefetch}
      .emit();
  if (t.count > 1)
    each([&](Val lineFrom, Val lineTo) { return std::pair(max(highStart, lineFrom), lineTo); });
}

func::FuncOp attentionTile(ModuleOp module, const Isa &isa, const AttendSpec &spec, int64_t lines) {
  MLIRContext *context = module.getContext();
  Type pointer = LLVM::LLVMPointerType::get(context), i64 = IntegerType::get(context, 64);
  SmallVector<Type> operands(9, pointer);
  operands.append({i64, pointer, pointer, IntegerType::get(context, 1)});
  const CacheSpec &cache = spec.cache;
  auto function = emitInternal(
      module,
      symbolOf({"cpu_attend_tile", kernel::nameOf(cache.operand), std::to_string(cache.headSize),
                "scale" + kernel::nameOf(spec.scale), cache.weighted ? "weighted" : "", std::to_string(lines)}),
      operands, {}, [&](KernelBuilder &k) {
        auto buffer = [&](unsigned i, Elem elem) { return Buffer(k, k.parameter(i).value, elem); };
        Tile tile{k,
                  isa,
                  spec,
                  lines,
                  Lines::fromOperands(k, 0),
                  LineState::fromOperands(k, 3),
                  buffer(6, Elem::I32),
                  buffer(7, elemOf(cache.operand)),
                  buffer(8, Elem::F32),
                  buffer(10, Elem::I8),
                  buffer(11, Elem::I8),
                  k.scratch(Elem::F32, lines * blockEntries),
                  k.parameter(9),
                  k.parameter(12)};
        tile.storeScores();
        tile.softenAll();
        accumulate(tile);
        return SmallVector<Val>();
      });
  keepCalls(function);
  return function;
}

} // namespace chimera::cpu
