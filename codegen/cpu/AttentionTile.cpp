// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/AttentionTile.h"
#include "codegen/cpu/Math.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace chimera::cpu {

namespace {

/// Vectors in which `lines` accumulators each stay in registers beside their operands.
int64_t vectorsFor(const Isa &isa, int64_t lines) {
  return std::min<int64_t>(8, (isa.lanes == 16 ? 24 : 12) / lines);
}

/// Asks for `bytes` of the next block from byte `offset` of `next`: every second line, for the hardware fetches lines
/// in pairs, and a request less leaves room for it to run ahead.
void prefetchBytes(KernelBuilder &k, Val condition, const Buffer &next, Val offset, int64_t bytes) {
  k.when(condition, [&] {
    for (int64_t at = 0; at < bytes; at += 128)
      next.prefetch(offset + at, /*locality=*/2);
  });
}

struct ScoreTile {
  KernelBuilder &k;
  const Isa &isa;
  const AttendSpec &spec;
  int64_t lines;
  Buffer queries, keys, weights, scores, nextKeys;
  Val prefetch;

  /// Products of each line's query at dimension d and the keys of some vectors of entries.
  void addProducts(SmallVector<Val> &sums, Val d, ArrayRef<Val> keyVectors) const {
    auto vectors = static_cast<int64_t>(keyVectors.size());
    for (int64_t i = 0; i < lines; ++i) {
      Val q = splat(queries.load(d + i * paddedHead(spec.cache.headSize)), isa.lanes);
      for (int64_t j = 0; j < vectors; ++j)
        sums[i * vectors + j] = fma(q, keyVectors[j], sums[i * vectors + j]);
    }
  }

  /// q . k for the entries at `place` and up, d ascending from +0.
  SmallVector<Val> dots(Val place, int64_t vectors) const {
    Val zero = k.real(0, k.vectorType(k.f32Type(), isa.lanes));
    SmallVector<Val> sums(lines * vectors, zero);
    // A step is a row of words: a dimension of f32 or a pair of bf16.
    return k.foldMany(k.integer(0), k.integer(wordsOf(spec.cache)), sums, [&](Val word, ArrayRef<Val> carried) {
      SmallVector<Val> sums(carried), loaded, low, high;
      Val row = word * blockEntries + place;
      prefetchBytes(k, prefetch, nextKeys, row * 4, vectors * isa.lanes * 4);
      for (int64_t j = 0; j < vectors; ++j)
        loaded.push_back(keys.loadVector(row + j * isa.lanes, isa.lanes));
      if (spec.cache.operand == Scalar::F32) {
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

  /// The scores of the places from .. to-1 and some beside them, `vectors` vectors at a time.
  void emitSteps(Val from, Val to, int64_t vectors) const {
    int64_t step = vectors * isa.lanes;
    Val scale = k.real(spec.scale, k.vectorType(k.f32Type(), isa.lanes));
    k.forEach(
        from / step * step, to,
        [&](Val place) {
          SmallVector<Val> sums = dots(place, vectors);
          for (int64_t i = 0; i < lines; ++i)
            for (int64_t j = 0; j < vectors; ++j) {
              Val at = place + j * isa.lanes, score = softCap(sums[i * vectors + j] * scale, spec.softCap);
              if (spec.cache.weighted)
                score = score + weights.loadVector(at, isa.lanes);
              scores.storeVector(at + i * blockEntries, score);
            }
        },
        step);
  }

  void emit(Val from, Val to) const {
    int64_t vectors = 1;
    while (2 * vectors <= std::min(vectorsFor(isa, lines), blockEntries / isa.lanes))
      vectors *= 2;
    // A block taken in one step is halved where only a part of it is wanted.
    if (vectors * isa.lanes < blockEntries || lines == 1)
      return emitSteps(from, to, vectors);
    k.either(
        to - from == blockEntries, [&] { emitSteps(k.integer(0), k.integer(blockEntries), vectors); },
        [&] { emitSteps(from, to, vectors / 2); });
  }
};

struct AccumulateTile {
  KernelBuilder &k;
  const Isa &isa;
  const CacheSpec &cache;
  int64_t lines;
  Buffer sums, p, values, nextValues;
  Val from, to, prefetch;

  /// Vectors of columns that are loaded two at a time, as pairs of bf16: the even columns and the odd ones, which takes
  /// fewer operations than widening neighbours.
  int64_t paired(int64_t vectors, int64_t tail) const {
    return cache.operand == Scalar::BF16 ? (vectors - (tail ? 1 : 0)) / 2 * 2 : 0;
  }

  /// The values of a place from `column` on.
  SmallVector<Val> loadValues(Val place, Val column, int64_t vectors, int64_t tail) const {
    int64_t lanes = isa.lanes, pairs = paired(vectors, tail);
    Buffer words(k, values.base().value, Elem::I32);
    Val at = place * cache.headSize + column, word = place * (cache.headSize / 2) + column / 2;
    SmallVector<Val> row;
    for (int64_t j = 0; j < pairs; j += 2) {
      Val both = words.loadVector(word + j / 2 * lanes, lanes);
      row.push_back(bitcast(shiftLeft(both, 16), k.f32Type()));
      row.push_back(bitcast(both & constantLike(both, -0x10000), k.f32Type()));
    }
    for (int64_t j = pairs; j < vectors; ++j) {
      bool isTail = tail && j + 1 == vectors;
      row.push_back(loadColumns(values, at + j * lanes, lanes, isTail ? lanesBelow(k.integer(tail), lanes) : Val()));
    }
    return row;
  }

  /// Two vectors of neighbouring columns as even and odd ones, or back.
  void split(Val &first, Val &second, bool back) const {
    SmallVector<int64_t> one, other;
    for (int64_t i = 0; i < isa.lanes; ++i) {
      one.push_back(back ? i / 2 + i % 2 * isa.lanes : 2 * i);
      other.push_back(back ? (i + isa.lanes) / 2 + i % 2 * isa.lanes : 2 * i + 1);
    }
    Val a = shuffleLanes(first, second, one);
    second = shuffleLanes(first, second, other);
    first = a;
  }

  /// `vectors` vectors of columns, the last one with `tail` columns unless that is 0.
  void emitColumns(Val column, int64_t vectors, int64_t tail) const {
    int64_t lanes = isa.lanes, padded = paddedHead(cache.headSize), bytes = byteSize(cache.operand);
    SmallVector<Val> all;
    for (int64_t i = 0; i < lines; ++i)
      for (int64_t j = 0; j < vectors; ++j)
        all.push_back(sums.loadVector(column + (i * padded + j * lanes), lanes));
    auto splitPairs = [&](bool back) {
      for (int64_t i = 0; i < lines; ++i)
        for (int64_t j = 0; j < paired(vectors, tail); j += 2)
          split(all[i * vectors + j], all[i * vectors + j + 1], back);
    };
    splitPairs(/*back=*/false);
    all = k.foldMany(from, to, all, [&](Val place, ArrayRef<Val> carried) {
      SmallVector<Val> next(carried);
      prefetchBytes(k, prefetch, nextValues, (place * cache.headSize + column) * bytes, vectors * lanes * bytes);
      SmallVector<Val> row = loadValues(place, column, vectors, tail);
      for (int64_t i = 0; i < lines; ++i) {
        Val weight = splat(p.load(place + i * blockEntries), lanes);
        for (int64_t j = 0; j < vectors; ++j)
          next[i * vectors + j] = fma(weight, row[j], next[i * vectors + j]);
      }
      return next;
    });
    splitPairs(/*back=*/true);
    for (int64_t i = 0; i < lines; ++i)
      for (int64_t j = 0; j < vectors; ++j)
        sums.storeVector(column + (i * padded + j * lanes), all[i * vectors + j]);
  }

  void emit() const {
    int64_t most = vectorsFor(isa, lines), whole = cache.headSize / isa.lanes, tail = cache.headSize % isa.lanes;
    int64_t steps = whole / most, rest = whole % most + (tail ? 1 : 0);
    k.forEach(
        k.integer(0), k.integer(steps * most * isa.lanes), [&](Val column) { emitColumns(column, most, 0); },
        most * isa.lanes);
    if (rest)
      emitColumns(k.integer(steps * most * isa.lanes), rest, tail);
  }
};

} // namespace

func::FuncOp scoreTile(ModuleOp module, const Isa &isa, const AttendSpec &spec, int64_t lines) {
  MLIRContext *context = module.getContext();
  Type pointer = LLVM::LLVMPointerType::get(context), i64 = IntegerType::get(context, 64);
  Type i1 = IntegerType::get(context, 1);
  const CacheSpec &cache = spec.cache;
  auto function =
      emitInternal(module,
                   symbolOf({"cpu_attend_scores", kernel::nameOf(cache.operand), std::to_string(cache.headSize),
                             "scale" + kernel::nameOf(spec.scale), capName(spec.softCap),
                             cache.weighted ? "weighted" : "", std::to_string(lines)}),
                   {pointer, pointer, pointer, pointer, i64, i64, pointer, i1}, {}, [&](KernelBuilder &k) {
                     auto buffer = [&](unsigned i, Elem elem) { return Buffer(k, k.parameter(i).value, elem); };
                     ScoreTile{k,
                               isa,
                               spec,
                               lines,
                               buffer(0, Elem::F32),
                               buffer(1, Elem::I32),
                               buffer(2, Elem::F32),
                               buffer(3, Elem::F32),
                               buffer(6, Elem::I8),
                               k.parameter(7)}
                         .emit(k.parameter(4), k.parameter(5));
                     return SmallVector<Val>();
                   });
  keepCalls(function);
  return function;
}

func::FuncOp accumulateTile(ModuleOp module, const Isa &isa, const CacheSpec &cache, int64_t lines) {
  MLIRContext *context = module.getContext();
  Type pointer = LLVM::LLVMPointerType::get(context), i64 = IntegerType::get(context, 64);
  Type i1 = IntegerType::get(context, 1);
  auto function =
      emitInternal(module,
                   symbolOf({"cpu_attend_sums", kernel::nameOf(cache.operand), std::to_string(cache.headSize),
                             std::to_string(lines)}),
                   {pointer, pointer, pointer, i64, i64, pointer, i1}, {}, [&](KernelBuilder &k) {
                     auto buffer = [&](unsigned i, Elem elem) { return Buffer(k, k.parameter(i).value, elem); };
                     AccumulateTile{k,
                                    isa,
                                    cache,
                                    lines,
                                    buffer(0, Elem::F32),
                                    buffer(1, Elem::F32),
                                    buffer(2, elemOf(cache.operand)),
                                    buffer(5, Elem::I8),
                                    k.parameter(3),
                                    k.parameter(4),
                                    k.parameter(6)}
                         .emit();
                     return SmallVector<Val>();
                   });
  keepCalls(function);
  return function;
}

} // namespace chimera::cpu
