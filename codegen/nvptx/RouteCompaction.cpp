// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The stable sort of the rows by mode. Thread i has rows i c .. i c + c - 1 with c = ceil(N / 256): it counts its rows
// of each mode, one scan over the block says how many rows of a mode come before its own, and it goes over its rows
// again to write each one's place. All in integers, so the order of the scan is of no consequence.
#include "codegen/nvptx/Route.h"

namespace chimera::nvptx {

namespace {

class CompactionEmitter {
public:
  explicit CompactionEmitter(RouteContext &c) : c(c), b(c.b), thread(b.thread()), lane(b.lane()) {}
  void emit();

private:
  using Values = llvm::SmallVector<Val>;
  Values countRows();
  /// Turns the threads' counts into what lies before each thread; fills `totals`.
  Values scanBlock(llvm::ArrayRef<Val> counts, Values &totals);
  void writeStarts(Val row, llvm::ArrayRef<Val> before);
  void placeRows(llvm::ArrayRef<Val> before);
  void writeLastStarts(llvm::ArrayRef<Val> ends);

  RouteContext &c;
  GpuBuilder &b;
  Val thread, lane, firstRow, endRow;
  Values base; ///< where each mode's slice begins
};

CompactionEmitter::Values CompactionEmitter::countRows() {
  Values zeros(c.modeCount(), b.constant(0));
  return b.loop(firstRow, endRow, 1, zeros, [&](Val row, llvm::ArrayRef<Val> counts) {
    Val mode = convert(c.p.mode.load(row), b.i32());
    Values next(counts);
    for (int64_t k = 0; k < c.modeCount(); ++k)
      next[k] = counts[k] + zeroExtend(mode == c.modeId(k), b.i32());
    return next;
  });
}

CompactionEmitter::Values CompactionEmitter::scanBlock(llvm::ArrayRef<Val> counts, Values &totals) {
  int64_t modes = c.modeCount();
  Pointer warpTotals = b.shared("totals", routeWarps * modes * 4, b.i32());
  Values inclusive(counts);
  for (int64_t k = 0; k < modes; ++k) {
    for (int64_t distance = 1; distance < warpLanes; distance *= 2) {
      Val below = b.shuffleUp(inclusive[k], distance);
      inclusive[k] = select(lane >= distance, inclusive[k] + below, inclusive[k]);
    }
    b.ifThen(lane == warpLanes - 1, [&] { warpTotals.store(b.warp() * modes + k, inclusive[k]); });
  }
  if (c.spec.fault != RouteSpec::Fault::NoScanBarrier)
    b.barrier();
  Values before;
  for (int64_t k = 0; k < modes; ++k) {
    Val total = b.constant(0), earlier = b.constant(0);
    for (int64_t warp = 0; warp < routeWarps; ++warp) {
      Val rows = warpTotals.at(warp * modes + k).load();
      earlier = select(b.warp() > warp, earlier + rows, earlier);
      total = total + rows;
    }
    totals.push_back(total);
    before.push_back(earlier + inclusive[k] - counts[k]);
  }
  return before;
}

/// Where `row` is the first of its sequence: that sequence's starts, and those of empty ones right before it.
void CompactionEmitter::writeStarts(Val row, llvm::ArrayRef<Val> before) {
  Val sequence = c.p.sequence.load(row);
  b.countDown(
      sequence,
      [&](Val s) {
        Val known = s >= 0;
        Val safe = select(known, s, b.constant(0));
        return known & (c.p.start.load(safe) == row);
      },
      [&](Val s) {
        for (int64_t k = 0; k < c.modeCount(); ++k)
          c.p.sortedStart[k].store(s, base[k] + before[k]);
      });
}

void CompactionEmitter::placeRows(llvm::ArrayRef<Val> before) {
  b.loop(firstRow, endRow, 1, before, [&](Val row, llvm::ArrayRef<Val> sofar) {
    writeStarts(row, sofar);
    Val mode = convert(c.p.mode.load(row), b.i32());
    Values next(sofar);
    Val rank = b.constant(0), place = b.constant(0);
    for (int64_t k = 0; k < c.modeCount(); ++k) {
      Val here = mode == c.modeId(k);
      rank = select(here, sofar[k], rank);
      place = select(here, base[k] + sofar[k], place);
      next[k] = sofar[k] + zeroExtend(here, b.i32());
    }
    c.p.sortedIndex.store(place, row);
    c.p.inverse.store(row, rank);
    return next;
  });
}

/// The ends of the slices, and the starts of empty sequences after the last row.
void CompactionEmitter::writeLastStarts(llvm::ArrayRef<Val> ends) {
  b.loop(thread, c.p.sequences + 1, routeThreads, [&](Val s) {
    b.ifThen(c.p.start.load(s) >= c.p.rows, [&] {
      for (int64_t k = 0; k < c.modeCount(); ++k)
        c.p.sortedStart[k].store(s, ends[k]);
    });
  });
}

void CompactionEmitter::emit() {
  Val share = (c.p.rows + (routeThreads - 1)) / routeThreads;
  firstRow = min(thread * share, c.p.rows);
  endRow = min(firstRow + share, c.p.rows);
  Values totals, ends;
  Values before = scanBlock(countRows(), totals);
  Val end = b.constant(0);
  for (Val total : totals) {
    base.push_back(end);
    end = end + total;
    ends.push_back(end);
  }
  placeRows(before);
  writeLastStarts(ends);
}

} // namespace

void emitGates(RouteContext &c) {
  GpuBuilder &b = c.b;
  b.loop(b.thread(), c.p.rows, routeThreads, [&](Val row) {
    if (!c.spec.gateIsProbability)
      return c.p.gate.store(row, b.real(1, b.f32()));
    Val mode = convert(c.p.mode.load(row), b.i32());
    Val at = b.constant(0);
    for (int64_t k = 1; k < c.modeCount(); ++k)
      at = select(mode == c.modeId(k), b.constant(k), at);
    c.p.gate.store(row, c.p.probability.load(row * c.modeCount() + at));
  });
}

void emitCompaction(RouteContext &c) {
  CompactionEmitter(c).emit();
}

} // namespace chimera::nvptx
