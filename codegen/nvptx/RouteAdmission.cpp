// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Admission under causal capacity, 32 tokens of a sequence at a time.
//
// A mode m with a limit has a capacity c_t that never falls with t, and token t that asks for m is admitted while the
// count n < c_t. Where n <= c_t holds before token t (and it then holds ever after), the count goes
//     n -> min(n + a_t, c_t),    a_t = 1 where the token asks, else 0,
// and such maps compose: (a, c) then (a', c') is (a + a', min(c + a', c')). So a chunk is one scan over its lanes. If
// forced tokens or an earlier limit have left n above c_t, replacing c_t by max(c_t, n at the chunk's start) changes
// nothing: while c_t is below that n, nobody is admitted either way. A refused token asks the next mode of the chain
// full, swa, ssm, identity; so each stage of the chain is a scan over what the one before refused.
//
// A forced token counts whatever the capacity is, and the maps n -> n + 1 and n -> max(n, min(n + a, c)) together have
// no short composition. A chunk with a forced token is therefore walked token by token, by all lanes alike.
#include "codegen/nvptx/Route.h"

#include "llvm/ADT/STLExtras.h"
#include <algorithm>

namespace chimera::nvptx {

namespace {

constexpr int64_t unlimited = 64; ///< relative to the chunk's first count: more than a chunk can use

class AdmissionEmitter {
public:
  explicit AdmissionEmitter(RouteContext &c) : c(c), b(c.b), spec(c.spec), lane(b.lane()) {
    for (int64_t id : {2, 1, 0, 3})
      if (auto at = llvm::find(spec.modes, id); at != spec.modes.end())
        chain.push_back(at - spec.modes.begin());
  }
  void emit();

private:
  using Values = llvm::SmallVector<Val>;
  struct Chunk {
    Val row, valid, wanted, forced;
    Values capacity; ///< by position in the modes: what may still enter, 0 .. unlimited
  };
  /// Can stage i of the chain refuse? The last cannot, nor can identity, nor a mode without a limit.
  bool canRefuse(size_t i) const {
    return i + 1 < chain.size() && spec.modes[chain[i]] != 3 && spec.limits[chain[i]].limited();
  }
  Val capacityLeft(const ModeLimit &limit, Val position, Val count);
  Chunk loadChunk(Val first, Val end, llvm::ArrayRef<Val> counts);
  Val scanned(const Chunk &chunk);
  Val walked(const Chunk &chunk);
  Values admitChunk(Val first, Val end, llvm::ArrayRef<Val> counts);
  void admitSequence(Val sequence);

  RouteContext &c;
  GpuBuilder &b;
  const RouteSpec &spec;
  Val lane;
  llvm::SmallVector<int64_t> chain; ///< positions in the modes, in the order in which refusals go
};

/// min(ceil(rate (t + 1)), most) - count, cut to 0 .. unlimited.
Val AdmissionEmitter::capacityLeft(const ModeLimit &limit, Val position, Val count) {
  Val left = b.constant(unlimited);
  if (limit.rate) {
    // A rate above 0 lets one token in from the first position on, however small: it is kept out of the subnormals,
    // which a host that simulates the kernel may flush.
    double rate = *limit.rate > 0 ? std::max(*limit.rate, 1e-300) : 0;
    Val total = ceil(b.real(rate, b.f64()) * convert(position + 1, b.f64()));
    Val rest = total - convert(count, b.f64());
    Val cut = min(max(rest, b.real(0, b.f64())), b.real(unlimited, b.f64()));
    left = convert(cut, b.i32());
  }
  if (limit.most) {
    Val rest = b.constant(*limit.most, b.i64()) - count;
    Val cut = min(max(rest, b.constant(0, b.i64())), b.constant(unlimited, b.i64()));
    left = min(left, convert(cut, b.i32()));
  }
  return left;
}

AdmissionEmitter::Chunk AdmissionEmitter::loadChunk(Val first, Val end, llvm::ArrayRef<Val> counts) {
  Chunk chunk;
  chunk.row = first + lane;
  chunk.valid = chunk.row < end;
  // Lanes past the end load nothing: what they would find there, another lane may be writing.
  Values loaded = b.ifElse(
      chunk.valid, {b.i32(), b.i32(), b.i64()},
      [&] {
        Val flat = convert(chunk.row, b.i64()) * convert(c.p.layers, b.i64()) + convert(c.p.layer, b.i64());
        return Values{convert(c.p.mode.load(chunk.row), b.i32()), convert(c.p.forced.load(flat), b.i32()),
                      c.p.position.load(chunk.row)};
      },
      [&] { return Values{c.modeId(0), b.constant(-1), b.constant(0, b.i64())}; });
  chunk.wanted = loaded[0];
  chunk.forced = b.constant(-1);
  for (int64_t k = 0; k < c.modeCount(); ++k)
    chunk.forced = select(loaded[1] == c.modeId(k), c.modeId(k), chunk.forced);
  Val position = loaded[2];
  for (int64_t k = 0; k < c.modeCount(); ++k)
    chunk.capacity.push_back(capacityLeft(spec.limits[k], position, counts[k]));
  return chunk;
}

/// The admitted mode of each lane's token when none is forced: one scan a stage.
Val AdmissionEmitter::scanned(const Chunk &chunk) {
  Val current = chunk.wanted;
  for (size_t i = 0; i < chain.size(); ++i) {
    if (!canRefuse(i))
      continue;
    Val asks = chunk.valid & (current == c.modeId(chain[i]));
    Val sum = zeroExtend(asks, b.i32());
    Val bound = select(chunk.valid, chunk.capacity[chain[i]], b.constant(unlimited));
    for (int64_t distance = 1; distance < warpLanes; distance *= 2) {
      Val sumBelow = b.shuffleUp(sum, distance), boundBelow = b.shuffleUp(bound, distance);
      Val there = lane >= distance;
      bound = select(there, min(boundBelow + sum, bound), bound);
      sum = select(there, sumBelow + sum, sum);
    }
    Val after = min(sum, bound); // tokens of the chunk admitted up to and with this one
    Val before = b.shuffleUp(after, 1);
    before = select(lane == 0, b.constant(0), before);
    Val refused = asks & (after == before);
    current = select(refused, c.modeId(chain[i + 1]), current);
  }
  return current;
}

/// The same with forced tokens: every lane goes through all 32 tokens and keeps its own.
Val AdmissionEmitter::walked(const Chunk &chunk) {
  Values start(1 + c.modeCount(), b.constant(0));
  start[0] = chunk.wanted;
  Values result = b.loop(b.constant(0), b.constant(warpLanes), 1, start, [&](Val token, llvm::ArrayRef<Val> carried) {
    Values next(carried);
    Val forced = b.shuffleFrom(chunk.forced, token);
    Val valid = b.shuffleFrom(zeroExtend(chunk.valid, b.i32()), token);
    Val current = b.shuffleFrom(chunk.wanted, token);
    for (size_t i = 0; i < chain.size(); ++i) {
      if (!canRefuse(i))
        continue;
      Val capacity = b.shuffleFrom(chunk.capacity[chain[i]], token);
      Val refused = (current == c.modeId(chain[i])) & (carried[1 + chain[i]] >= capacity);
      current = select(refused, c.modeId(chain[i + 1]), current);
    }
    current = select(forced >= 0, forced, current);
    for (int64_t k = 0; k < c.modeCount(); ++k)
      next[1 + k] = carried[1 + k] + (zeroExtend(current == c.modeId(k), b.i32()) & valid);
    next[0] = select(lane == token, current, carried[0]);
    return next;
  });
  return result[0];
}

AdmissionEmitter::Values AdmissionEmitter::admitChunk(Val first, Val end, llvm::ArrayRef<Val> counts) {
  Chunk chunk = loadChunk(first, end, counts);
  Val anyForced = b.ballot(chunk.forced >= 0) != 0;
  Val admitted =
      b.ifElse(anyForced, b.i32(), [&] { return Values{walked(chunk)}; }, [&] { return Values{scanned(chunk)}; })[0];
  b.ifThen(chunk.valid, [&] { c.p.mode.store(chunk.row, convert(admitted, b.i8())); });
  Values next(counts);
  for (int64_t k = 0; k < c.modeCount(); ++k) {
    Val entered = b.popcount(b.ballot(chunk.valid & (admitted == c.modeId(k))));
    next[k] = counts[k] + convert(entered, b.i64());
  }
  return next;
}

void AdmissionEmitter::admitSequence(Val sequence) {
  Val begin = c.p.start.load(sequence), end = c.p.start.load(sequence + 1);
  Pointer stored = c.p.counts.at(convert(c.p.slot.load(sequence), b.i64()) * c.modeCount());
  Values counts;
  for (int64_t k = 0; k < c.modeCount(); ++k)
    counts.push_back(stored.at(k).load());
  counts = b.loop(begin, end, warpLanes, counts,
                  [&](Val first, llvm::ArrayRef<Val> before) { return admitChunk(first, end, before); });
  b.warpBarrier(); // all lanes have read the counts
  b.ifThen(lane == 0, [&] {
    for (int64_t k = 0; k < c.modeCount(); ++k)
      stored.at(k).store(counts[k]);
  });
}

void AdmissionEmitter::emit() {
  b.loop(b.warp(), c.p.sequences, routeWarps, [&](Val sequence) { admitSequence(sequence); });
}

} // namespace

void emitAdmission(RouteContext &c) {
  AdmissionEmitter(c).emit();
}

} // namespace chimera::nvptx
