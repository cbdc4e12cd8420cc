// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The gradients of attention in training: P = exp(score - lse) is computed again, dsum = P (dout . v - delta), and
// dscore is dsum through the soft cap.
#include "codegen/cpu/Math.h"
#include "codegen/cpu/TrainingAttentionRun.h"
#include "codegen/ref/TrainingSupport.h"

using namespace mlir;

namespace chimera::cpu {

namespace {

/// By queries: tiles of queries, blocks of entries.
struct QueriesGrad {
  SeqAttention a;
  KernelBuilder &k;
  AttentionTiles &tiles;
  Buffer out, lse, dout, dq, deltas, dOwnKey, dOwnValue;
  Spans spans;
  Buffer query, upstream, sums; // of the tile, turned
  Buffer scores, slopes;        // [attentionBlock][width]: scores, then dscore; dout . v
  Buffer logs, delta;           // lse and delta of each query
  Buffer keyRoom, valueRoom;
  Buffer ownTile, ownKeySums, ownValueSums; // only if tentative

  QueriesGrad(KernelBuilder &k, const Isa &isa, const ref::SeqAttendSpec &spec)
      : a(k, isa, spec, /*keysFirst=*/false, /*takesOwn=*/true), k(k), tiles(a.tiles) {
    for (Buffer *buffer : {&out, &lse, &dout, &dq, &deltas})
      *buffer = k.buffer(Elem::F32);
    spans = {tiles.newVector(Elem::I32), tiles.newVector(Elem::I32), {}};
    query = tiles.newTile(), upstream = tiles.newTile(), sums = tiles.newTile();
    scores = k.scratch(Elem::F32, attentionBlock * tiles.width());
    slopes = k.scratch(Elem::F32, attentionBlock * tiles.width());
    logs = tiles.newVector(), delta = tiles.newVector();
    keyRoom = a.newRoom(spec.operand), valueRoom = a.newRoom(spec.operand);
    if (!spec.tentative)
      return;
    dOwnKey = k.buffer(Elem::F32), dOwnValue = k.buffer(Elem::F32);
    ownTile = tiles.newTile(), ownKeySums = tiles.newTile(), ownValueSums = tiles.newTile();
  }

  /// The dot products of two turned tiles, lane by lane, d ascending.
  Val dotLanes(const Buffer &x, const Buffer &y, int64_t v) const {
    return k.fold(0, a.spec.headSize, tiles.splatReal(0),
                  [&](Val d, Val sum) { return fma(tiles.vectorAt(x, d, v), tiles.vectorAt(y, d, v), sum); });
  }

  /// P and dscore of the products q . k and dout . v.
  std::pair<Val, Val> gradient(Val product, Val slope, int64_t v, const Val *weight) const {
    Val capped = softCap(product * tiles.splatReal(a.spec.scale), a.spec.softCap);
    Val score = weight ? capped + splat(*weight, tiles.lanes) : capped;
    Val p = exp(score - tiles.vector(logs, v));
    return {p, throughSoftCap(p * (slope - tiles.vector(delta, v)), capped, a.spec.softCap)};
  }

  void loadTile(Val row, Val head) const {
    tiles.load(a.queryRows(a.q, row, head), spans.live, query, a.spec.operand);
    tiles.load(a.queryRows(dout, row, head), spans.live, upstream, Scalar::F32);
    tiles.load(a.queryRows(out, row, head), spans.live, sums, Scalar::F32);
    for (int64_t v = 0; v < AttentionTiles::vectors; ++v)
      tiles.setVector(delta, v, dotLanes(upstream, sums, v));
    tiles.clear(sums);
    k.forEach(0, tiles.width(),
              [&](Val i) { logs.store(i, lse.load((row + min(i, spans.live - 1)) * a.spec.heads + head)); });
    k.forEach(k.integer(0), spans.live, [&](Val i) { deltas.store((row + i) * a.spec.heads + head, delta.load(i)); });
  }

  void takeBlock(Val firstKey, Val first, Val count, Val kvHead) const {
    Val keyRow = firstKey + first;
    HeadRows keys = a.widened(a.entryRows(a.keys, keyRow, kvHead), count, a.spec.operand, keyRoom);
    HeadRows values = a.widened(a.entryRows(a.values, keyRow, kvHead), count, a.spec.operand, valueRoom);
    tiles.dots(keys, count, query, scores);
    tiles.dots(values, count, upstream, slopes);
    k.forEach(k.integer(0), count, [&](Val j) {
      Val weight = a.spec.weighted ? a.writes.load(keyRow + j) : Val();
      for (int64_t v = 0; v < AttentionTiles::vectors; ++v) {
        Val product = tiles.vectorAt(scores, j, v), slope = tiles.vectorAt(slopes, j, v);
        tiles.setVectorAt(scores, j, v, gradient(product, slope, v, a.spec.weighted ? &weight : nullptr).second);
      }
    });
    auto mask = [&](Val j, int64_t v) {
      Val e = tiles.splatInt(first + j);
      return (tiles.vector(spans.low, v) <= e) & (e < tiles.vector(spans.high, v));
    };
    k.either((spans.lastLow() <= first) & (first + count <= spans.firstHigh()),
             [&] { tiles.accumulate(scores, keys, count, sums, std::nullopt); },
             [&] { tiles.accumulate(scores, keys, count, sums, AttentionTiles::Mask(mask)); });
  }

  void takeOwn(Val row, Val kvHead) const {
    tiles.load(a.entryRows(a.ownValues, row, kvHead), spans.live, ownTile, a.spec.operand);
    for (int64_t v = 0; v < AttentionTiles::vectors; ++v)
      tiles.setVector(slopes, v, dotLanes(upstream, ownTile, v));
    tiles.load(a.entryRows(a.ownKeys, row, kvHead), spans.live, ownTile, a.spec.operand);
    for (int64_t v = 0; v < AttentionTiles::vectors; ++v) {
      auto [p, dscore] = gradient(dotLanes(query, ownTile, v), tiles.vector(slopes, v), v, nullptr);
      tiles.setVector(scores, v, dscore);
      tiles.setVector(slopes, v, p);
    }
    tiles.forEachVector([&](Val place, int64_t v) {
      auto add = [&](Val factor, const Buffer &from, const Buffer &to) {
        to.storeVector(place, fma(factor, from.loadVector(place, tiles.lanes), to.loadVector(place, tiles.lanes)));
      };
      Val dscore = tiles.vector(scores, v);
      add(dscore, ownTile, sums);
      add(tiles.splatReal(a.spec.scale) * dscore, query, ownKeySums);
      add(tiles.vector(slopes, v), upstream, ownValueSums);
    });
  }

  void takeHead(const SeqAttention::Task &task, Val row, Val head) const {
    loadTile(row, head);
    Val end = spans.endEntry(), firstKey = a.firstRow(a.keyRows, task.sequence);
    k.forEach(
        spans.firstEntry() / attentionBlock * attentionBlock, end,
        [&](Val first) { takeBlock(firstKey, first, min(end - first, k.integer(attentionBlock)), task.kvHead); },
        attentionBlock);
    if (a.spec.tentative)
      takeOwn(row, task.kvHead);
    tiles.forEachVector([&](Val place, int64_t) {
      sums.storeVector(place, tiles.splatReal(a.spec.scale) * sums.loadVector(place, tiles.lanes));
    });
    tiles.store(sums, a.queryRows(dq, row, head), spans.live);
  }

  void take(Val block) {
    SeqAttention::Task task = a.taskOf(block);
    Val start = a.firstRow(a.own, task.sequence);
    a.forEachTile(task, a.own, [&](Val first, Val live) {
      spans.live = live;
      a.findSpans(task.sequence, first, k.integer(tiles.width()), spans);
      if (a.spec.tentative) {
        tiles.clear(ownKeySums);
        tiles.clear(ownValueSums);
      }
      a.forEachHead(task.kvHead, [&](Val head) { takeHead(task, start + first, head); });
      if (a.spec.tentative) {
        tiles.store(ownKeySums, a.entryRows(dOwnKey, start + first, task.kvHead), live);
        tiles.store(ownValueSums, a.entryRows(dOwnValue, start + first, task.kvHead), live);
      }
    });
  }
};

/// By entries: tiles of entries, blocks of queries.
struct KeysGrad {
  SeqAttention a;
  KernelBuilder &k;
  AttentionTiles &tiles;
  Buffer lse, deltas, dout, dk, dv, dwrite;
  Spans spans;                           // of a block's queries
  Buffer key, value, keySums, valueSums; // of the tile, turned
  Buffer scores, slopes;                 // [attentionBlock][width]: q . k, then dscore; dout . v, then P
  Buffer weights, weightSums;            // of the tile's entries
  Buffer queryRoom;

  KeysGrad(KernelBuilder &k, const Isa &isa, const ref::SeqAttendSpec &spec)
      : a(k, isa, spec, /*keysFirst=*/true, /*takesOwn=*/false), k(k), tiles(a.tiles) {
    for (Buffer *buffer : {&lse, &deltas, &dout, &dk, &dv})
      *buffer = k.buffer(Elem::F32);
    if (spec.weighted)
      dwrite = k.buffer(Elem::F32);
    spans = {k.scratch(Elem::I32, attentionBlock), k.scratch(Elem::I32, attentionBlock), {}};
    key = tiles.newTile(), value = tiles.newTile(), keySums = tiles.newTile(), valueSums = tiles.newTile();
    scores = k.scratch(Elem::F32, attentionBlock * tiles.width());
    slopes = k.scratch(Elem::F32, attentionBlock * tiles.width());
    weights = tiles.newVector(), weightSums = tiles.newVector();
    queryRoom = a.newRoom(spec.operand);
  }

  /// The tile's entries that query j of the block attends to.
  Val isInside(Val firstEntry, Val j, int64_t v) const {
    Val e = tiles.laneNumbers(v);
    return (tiles.splatInt(spans.low.load(j) - firstEntry) <= e) &
           (e < tiles.splatInt(spans.high.load(j) - firstEntry));
  }

  /// Turns the products of a query and the entries into dscore and P.
  void takeQuery(Val row, Val head, Val firstEntry, Val j) const {
    Val place = (row + j) * a.spec.heads + head;
    Val log = splat(lse.load(place), tiles.lanes), delta = splat(deltas.load(place), tiles.lanes);
    for (int64_t v = 0; v < AttentionTiles::vectors; ++v) {
      Val capped = softCap(tiles.vectorAt(scores, j, v) * tiles.splatReal(a.spec.scale), a.spec.softCap);
      Val score = a.spec.weighted ? capped + tiles.vector(weights, v) : capped;
      Val p = exp(score - log), dsum = p * (tiles.vectorAt(slopes, j, v) - delta);
      tiles.setVectorAt(scores, j, v, throughSoftCap(dsum, capped, a.spec.softCap));
      tiles.setVectorAt(slopes, j, v, p);
      if (!a.spec.weighted)
        continue;
      Val before = tiles.vector(weightSums, v);
      tiles.setVector(weightSums, v, select(isInside(firstEntry, j, v), before + dsum, before));
    }
  }

  /// A block of own rows from compact row `row` on, whose spans are known.
  void takeBlock(Val row, Val head, Val firstEntry, Val liveEntries) const {
    Val count = spans.live;
    HeadRows queries = a.widened(a.queryRows(a.q, row, head), count, a.spec.operand, queryRoom);
    HeadRows upstream = a.queryRows(dout, row, head);
    tiles.dots(queries, count, key, scores);
    tiles.dots(upstream, count, value, slopes);
    k.forEach(k.integer(0), count, [&](Val j) { takeQuery(row, head, firstEntry, j); });
    auto mask = [&](Val j, int64_t v) { return isInside(firstEntry, j, v); };
    k.either((spans.lastLow() <= firstEntry) & (firstEntry + liveEntries <= spans.firstHigh()),
             [&] {
               tiles.accumulate(slopes, upstream, count, valueSums, std::nullopt);
               tiles.accumulate(scores, queries, count, keySums, std::nullopt);
             },
             [&] {
               tiles.accumulate(slopes, upstream, count, valueSums, AttentionTiles::Mask(mask));
               tiles.accumulate(scores, queries, count, keySums, AttentionTiles::Mask(mask));
             });
  }

  /// The numbers in the sequence of the first own row that may attend to an entry from `first` on and of the row after
  /// the last that may attend to one up to `last`.
  std::pair<Val, Val> readers(Val sequence, Val first, Val last) const {
    Val start = a.keyRows.start.load(sequence), count = a.countOf(a.own, sequence);
    Val id = a.keyRows.index.load(start + first);
    Val begin = ref::countBelow(k, a.own, sequence, a.spec.tentative ? id + 1 : id);
    if (a.spec.window < 0)
      return {begin, count};
    // Rows after the entry `window` - 1 later have more than `window` - 1 entries between.
    Val later = last + (a.spec.window - 1);
    Val end = k.choose(
        later < a.countOf(a.keyRows, sequence),
        [&] { return ref::countBelow(k, a.own, sequence, a.keyRows.index.load(start + later) + 1); },
        [&] { return count; });
    return {begin, end};
  }

  /// Adds what the readers of the tile's entries say at a key/value head; stores what is complete with it.
  void takeHead(const SeqAttention::Task &task, Val kvHead, Val firstEntry, Val live) {
    Val keyRow = a.firstRow(a.keyRows, task.sequence) + firstEntry, start = a.firstRow(a.own, task.sequence);
    tiles.load(a.entryRows(a.keys, keyRow, kvHead), live, key, a.spec.operand);
    tiles.load(a.entryRows(a.values, keyRow, kvHead), live, value, a.spec.operand);
    tiles.clear(keySums);
    tiles.clear(valueSums);
    auto [begin, end] = readers(task.sequence, firstEntry, firstEntry + live - 1);
    a.forEachHead(kvHead, [&, begin = begin, end = end](Val head) {
      k.forEach(
          begin, end,
          [&](Val first) {
            spans.live = min(end - first, k.integer(attentionBlock));
            a.findSpans(task.sequence, first, spans.live, spans);
            takeBlock(start + first, head, firstEntry, live);
          },
          attentionBlock);
    });
    tiles.forEachVector([&](Val place, int64_t) {
      keySums.storeVector(place, tiles.splatReal(a.spec.scale) * keySums.loadVector(place, tiles.lanes));
    });
    tiles.store(keySums, a.entryRows(dk, keyRow, kvHead), live);
    tiles.store(valueSums, a.entryRows(dv, keyRow, kvHead), live);
  }

  /// A write weight counts at every head: then a task has them all.
  void takeWeighted(const SeqAttention::Task &task, Val firstEntry, Val live) {
    Val keyRow = a.firstRow(a.keyRows, task.sequence) + firstEntry;
    k.forEach(0, tiles.width(), [&](Val i) {
      weights.store(i, a.writes.load(keyRow + min(i, live - 1)));
      weightSums.store(i, k.real(0, k.f32Type()));
    });
    k.forEach(0, a.spec.kvHeads, [&](Val kvHead) { takeHead(task, kvHead, firstEntry, live); });
    k.forEach(k.integer(0), live, [&](Val i) { dwrite.store(keyRow + i, weightSums.load(i)); });
  }

  void take(Val block) {
    SeqAttention::Task task = a.spec.weighted
                                  ? SeqAttention::Task{block / attentionSplits, k.integer(0), block % attentionSplits}
                                  : a.taskOf(block);
    a.forEachTile(task, a.keyRows, [&](Val first, Val live) {
      a.spec.weighted ? takeWeighted(task, first, live) : takeHead(task, task.kvHead, first, live);
    });
  }
};

} // namespace

ref::SeqAttendGrad getOrEmitGrad(ModuleOp kernels, const Isa &isa, const ref::SeqAttendSpec &spec) {
  std::string queries = symbolOfAttention("cpu_seq_attend_grad_queries", spec);
  std::string keys = symbolOfAttention("cpu_seq_attend_grad_keys", spec);
  emitKernel(kernels, queries, [&](KernelBuilder &k) {
    QueriesGrad gradient(k, isa, spec);
    k.forEach(k.begin(), k.end(), [&](Val block) { gradient.take(block); });
  });
  emitKernel(kernels, keys, [&](KernelBuilder &k) {
    KeysGrad gradient(k, isa, spec);
    k.forEach(k.begin(), k.end(), [&](Val block) { gradient.take(block); });
  });
  Grid ofKeys = spec.weighted ? Grid{/*tokens=*/0, /*seqs=*/attentionSplits} : gridOfAttention(spec);
  return {{queries, gridOfAttention(spec)}, {keys, ofKeys}};
}

} // namespace chimera::cpu
