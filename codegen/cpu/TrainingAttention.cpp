// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Math.h"
#include "codegen/cpu/TrainingAttentionRun.h"
#include "codegen/ref/Math.h"

#include <limits>

using namespace mlir;

namespace chimera::cpu {

namespace {

/// Forward: tiles of queries, blocks of entries.
struct Attend {
  SeqAttention a;
  KernelBuilder &k;
  AttentionTiles &tiles;
  Buffer out, lse;
  Spans spans;
  Buffer query, sums;            // of the tile, turned
  Buffer scores;                 // [attentionBlock][width], then e^(s - m)
  Buffer greatest, total, scale; // m, l and e^(m - m') of each query
  Buffer keyRoom, valueRoom;
  Buffer ownTile; // only if tentative

  Attend(KernelBuilder &k, const Isa &isa, const ref::SeqAttendSpec &spec)
      : a(k, isa, spec, /*keysFirst=*/false, /*takesOwn=*/true), k(k), tiles(a.tiles) {
    out = k.buffer(Elem::F32), lse = k.buffer(Elem::F32);
    spans = {tiles.newVector(Elem::I32), tiles.newVector(Elem::I32), {}};
    query = tiles.newTile(), sums = tiles.newTile();
    scores = k.scratch(Elem::F32, attentionBlock * tiles.width());
    greatest = tiles.newVector(), total = tiles.newVector(), scale = tiles.newVector();
    keyRoom = a.newRoom(spec.operand), valueRoom = a.newRoom(spec.operand);
    if (spec.tentative)
      ownTile = tiles.newTile();
  }

  /// Brings m to the greater of it and `score`, and leaves e^(m - m') in `scale`. A query that has seen nothing but
  /// -infinity takes its exponentials from 0.
  Val takeGreatest(int64_t v, Val score) const {
    Val before = tiles.vector(greatest, v), after = cpu::greatest(score, before);
    Val base = select(after == tiles.splatReal(-std::numeric_limits<double>::infinity()), tiles.splatReal(0), after);
    tiles.setVector(greatest, v, after);
    tiles.setVector(scale, v, exp(before - base));
    return base;
  }

  Val isInside(Val entry, int64_t v) const {
    Val e = tiles.splatInt(entry);
    return (tiles.vector(spans.low, v) <= e) & (e < tiles.vector(spans.high, v));
  }

  void soften(Val first, Val count, const Buffer &weights) const {
    Val lowest = tiles.splatReal(-std::numeric_limits<double>::infinity()), factor = tiles.splatReal(a.spec.scale);
    for (int64_t v = 0; v < AttentionTiles::vectors; ++v) {
      Val best = k.fold(k.integer(0), count, lowest, [&](Val j, Val carried) {
        Val score = softCap(tiles.vectorAt(scores, j, v) * factor, a.spec.softCap);
        if (a.spec.weighted)
          score = score + splat(weights.load(j), tiles.lanes);
        score = select(isInside(first + j, v), score, lowest);
        tiles.setVectorAt(scores, j, v, score);
        return cpu::greatest(score, carried);
      });
      Val base = takeGreatest(v, best);
      Val sum = tiles.vector(total, v) * tiles.vector(scale, v);
      sum = k.fold(k.integer(0), count, sum, [&](Val j, Val carried) {
        Val p = exp(tiles.vectorAt(scores, j, v) - base);
        tiles.setVectorAt(scores, j, v, p);
        return carried + p;
      });
      tiles.setVector(total, v, sum);
    }
  }

  void takeBlock(Val firstKey, Val first, Val count, Val kvHead) const {
    Val keyRow = firstKey + first;
    HeadRows keys = a.widened(a.entryRows(a.keys, keyRow, kvHead), count, a.spec.operand, keyRoom);
    HeadRows values = a.widened(a.entryRows(a.values, keyRow, kvHead), count, a.spec.operand, valueRoom);
    tiles.dots(keys, count, query, scores);
    soften(first, count, a.spec.weighted ? a.writes.at(keyRow) : Buffer());
    auto mask = [&](Val j, int64_t v) { return isInside(first + j, v); };
    k.either((spans.lastLow() <= first) & (first + count <= spans.firstHigh()),
             [&] { tiles.accumulate(scores, values, count, sums, std::nullopt, &scale); },
             [&] { tiles.accumulate(scores, values, count, sums, AttentionTiles::Mask(mask), &scale); });
  }

  /// The own entry of each query, after all others.
  void takeOwn(Val row, Val kvHead) const {
    const Buffer &entry = ownTile;
    tiles.load(a.entryRows(a.ownKeys, row, kvHead), spans.live, entry, a.spec.operand);
    for (int64_t v = 0; v < AttentionTiles::vectors; ++v) {
      Val dot = k.fold(0, a.spec.headSize, tiles.splatReal(0), [&](Val d, Val sum) {
        return fma(tiles.vectorAt(query, d, v), tiles.vectorAt(entry, d, v), sum);
      });
      Val score = softCap(dot * tiles.splatReal(a.spec.scale), a.spec.softCap);
      Val p = exp(score - takeGreatest(v, score));
      tiles.setVectorAt(scores, k.integer(0), v, p);
      tiles.setVector(total, v, tiles.vector(total, v) * tiles.vector(scale, v) + p);
    }
    tiles.load(a.entryRows(a.ownValues, row, kvHead), spans.live, entry, a.spec.operand);
    tiles.forEachVector([&](Val place, int64_t v) {
      Val before = sums.loadVector(place, tiles.lanes) * tiles.vector(scale, v);
      sums.storeVector(place, fma(tiles.vector(scores, v), entry.loadVector(place, tiles.lanes), before));
    });
  }

  void finish(Val row, Val head) const {
    tiles.forEachVector([&](Val place, int64_t v) {
      Val value = sums.loadVector(place, tiles.lanes) / tiles.vector(total, v);
      if (!a.spec.tentative) // then the own entry is always there
        value = select(tiles.vector(spans.low, v) < tiles.vector(spans.high, v), value, tiles.splatReal(0));
      sums.storeVector(place, value);
    });
    tiles.store(sums, a.queryRows(out, row, head), spans.live);
    k.forEach(k.integer(0), spans.live, [&](Val i) {
      Val value = greatest.load(i) + ref::log(total.load(i));
      if (!a.spec.tentative)
        value = select(spans.low.load(i) < spans.high.load(i), value, k.real(0, k.f32Type()));
      lse.store((row + i) * a.spec.heads + head, value);
    });
  }

  void takeHead(const SeqAttention::Task &task, Val row, Val head) const {
    tiles.load(a.queryRows(a.q, row, head), spans.live, query, a.spec.operand);
    tiles.clear(sums);
    for (int64_t v = 0; v < AttentionTiles::vectors; ++v) {
      tiles.setVector(greatest, v, tiles.splatReal(-std::numeric_limits<double>::infinity()));
      tiles.setVector(total, v, tiles.splatReal(0));
    }
    Val end = spans.endEntry(), firstKey = a.firstRow(a.keyRows, task.sequence);
    k.forEach(
        spans.firstEntry() / attentionBlock * attentionBlock, end,
        [&](Val first) { takeBlock(firstKey, first, min(end - first, k.integer(attentionBlock)), task.kvHead); },
        attentionBlock);
    if (a.spec.tentative)
      takeOwn(row, task.kvHead);
    finish(row, head);
  }

  void take(Val block) {
    SeqAttention::Task task = a.taskOf(block);
    Val start = a.firstRow(a.own, task.sequence);
    a.forEachTile(task, a.own, [&](Val first, Val live) {
      spans.live = live;
      a.findSpans(task.sequence, first, k.integer(tiles.width()), spans);
      a.forEachHead(task.kvHead, [&](Val head) { takeHead(task, start + first, head); });
    });
  }
};

} // namespace

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const ref::SeqAttendSpec &spec) {
  std::string symbol = symbolOfAttention("cpu_seq_attend", spec);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Attend attend(k, isa, spec);
    k.forEach(k.begin(), k.end(), [&](Val block) { attend.take(block); });
  });
  return {symbol, gridOfAttention(spec)};
}

} // namespace chimera::cpu
