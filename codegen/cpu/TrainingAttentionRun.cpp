// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingAttentionRun.h"
#include "codegen/cpu/Reduce.h"
#include "codegen/ref/TrainingSupport.h"

using namespace mlir;

namespace chimera::cpu {

SeqAttention::SeqAttention(KernelBuilder &k, const Isa &isa, const ref::SeqAttendSpec &spec, bool keysFirst,
                           bool takesOwn)
    : k(k), spec(spec), tiles(k, isa, spec.headSize) {
  Rows first = k.rows(), second = k.rows();
  own = keysFirst ? second : first, keyRows = keysFirst ? first : second;
  q = k.buffer(spec.operand);
  keys = k.buffer(spec.operand), values = k.buffer(spec.operand);
  if (spec.weighted)
    writes = k.buffer(spec.type);
  if (spec.tentative && takesOwn)
    ownKeys = k.buffer(spec.operand), ownValues = k.buffer(spec.operand);
}

void SeqAttention::forEachHead(Val kvHead, function_ref<void(Val)> body) const {
  // Those with floor(head kvHeads / heads) = kvHead.
  auto firstOf = [&](Val number) { return (number * spec.heads + (spec.kvHeads - 1)) / spec.kvHeads; };
  k.forEach(firstOf(kvHead), firstOf(kvHead + 1), body);
}

SeqAttention::Task SeqAttention::taskOf(Val block) const {
  Val pair = block / attentionSplits;
  return {pair / spec.kvHeads, pair % spec.kvHeads, block % attentionSplits};
}

void SeqAttention::forEachTile(const Task &task, const Rows &rows, function_ref<void(Val, Val)> body) const {
  Val count = countOf(rows, task.sequence), width = k.integer(tiles.width());
  k.forEach(
      task.split * tiles.width(), count, [&](Val first) { body(first, min(count - first, width)); },
      attentionSplits * tiles.width());
}

void SeqAttention::findSpans(Val sequence, Val first, Val size, const Spans &spans) const {
  Val firstKey = keyRows.start.load(sequence), count = countOf(keyRows, sequence);
  Val row = own.start.load(sequence) + first, firstId = own.index.load(row);
  Val initial = ref::countBelow(k, keyRows, sequence, firstId);
  // Ids ascend: at most id - (the id before) keys lie between two own rows.
  k.foldMany(k.integer(0), spans.live, {initial, firstId}, [&](Val i, ArrayRef<Val> before) {
    Val id = own.index.load(row + i);
    Val most = min(count, before[0] + (id - before[1]));
    Val below = k.fold(before[0], most, before[0],
                       [&](Val e, Val passed) { return select(keyRows.index.load(firstKey + e) < id, e + 1, passed); });
    Val low = spec.window < 0 ? k.integer(0) : max(below - (spec.window - 1), k.integer(0));
    Val high = below;
    if (!spec.tentative) {
      Val there = below < count;
      Val isOwn = k.choose(there, [&] { return keyRows.index.load(firstKey + below) == id; }, [&] { return there; });
      high = select(isOwn, below + 1, below);
    }
    spans.low.store(i, low);
    spans.high.store(i, high);
    return SmallVector<Val>{below, id};
  });
  k.forEach(spans.live, size, [&](Val i) {
    spans.low.store(i, k.integer(0));
    spans.high.store(i, k.integer(0));
  });
}

HeadRows SeqAttention::widened(const HeadRows &rows, Val count, Scalar type, const Buffer &room) const {
  if (type == Scalar::F32)
    return rows;
  k.forEach(k.integer(0), count, [&](Val j) {
    Buffer from = rows.from(j).start, to = room.at(j * spec.headSize);
    forEachVector(k, spec.headSize, tiles.lanes,
                  [&](Val d, int64_t lanes) { to.storeVector(d, from.loadVector(d, lanes)); });
  });
  return {room, k.integer(spec.headSize)};
}

std::string symbolOfAttention(const char *name, const ref::SeqAttendSpec &spec) {
  return kernel::symbolOf({name, nameOf(spec.operand), std::to_string(spec.heads),
                           std::to_string(spec.kvHeads) + "x" + std::to_string(spec.headSize),
                           spec.window < 0 ? "" : "window" + std::to_string(spec.window), "scale" + nameOf(spec.scale),
                           spec.weighted ? "weighted" : "", spec.tentative ? "tentative" : "", capName(spec.softCap)});
}

} // namespace chimera::cpu
