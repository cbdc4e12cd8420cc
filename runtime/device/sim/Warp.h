// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Instructions that the 32 lanes of a warp execute together.
#ifndef CHIMERA_RUNTIME_DEVICE_SIM_WARP_H
#define CHIMERA_RUNTIME_DEVICE_SIM_WARP_H

#include <array>
#include <cstdint>
#include <string>

namespace chimera::sim {

constexpr int kWarpLanes = 32;

enum class WarpOp { Sync, ShuffleXor, ShuffleUp, ShuffleIndex, Ballot, LoadMatrix, LoadMatrixTransposed, MmaBf16 };

/// The name of an instruction in messages.
const char *warpOpName(WarpOp op);

/// What one lane brings to an instruction, and where its results go (as many 32-bit words as the instruction has).
struct WarpRequest {
  WarpOp op = WarpOp::Sync;
  uint32_t mask = 0xffffffff;
  std::array<uint32_t, 10> in{};
  const void *address = nullptr;
  uint32_t *out = nullptr;
};

/// Where the lanes of a warp wait until all have come.
struct WarpMeeting {
  int arrived = 0;
  std::array<WarpRequest, kWarpLanes> lanes;
};

/// Carries out a shuffle, a vote or mma for all lanes. (ldmatrix reads memory that the block checks first; then
/// `loadMatrix` is the whole of it.)
///
/// - ShuffleXor, ShuffleUp, ShuffleIndex: in = {value, lane argument, clamp word}; PTX ISA, shfl.sync. The result is
///   the value of the source lane, or the lane's own where the source is out of range.
/// - Ballot: in = {predicate}; bit i of the result is lane i's predicate.
/// - MmaBf16: in = {a0..a3, b0, b1, c0..c3}; d = a b + c for a[16][16] and b[16][8] in bf16, c and d[16][8] in f32,
///   spread over the lanes as the PTX ISA says for mma.m16n8k16. Every element is one chain of fused multiply-adds with
///   k ascending, starting from c. (Hardware may sum several products at once: see docs/simulator.md.)
void executeWarp(WarpMeeting &meeting);

/// ldmatrix.x4: lanes 8m .. 8m+7 give the addresses of the rows (16 bytes) of the 8x8 matrix m of 16-bit elements; lane
/// i gets elements 2 (i mod 4) and the next of row i / 4 of each, or of column i / 4 when transposed.
void loadMatrix(WarpMeeting &meeting, bool transposed);

/// How many of the four 8-row phases of an ldmatrix touch one of the 32 banks more than once.
int bankConflicts(const WarpMeeting &meeting);

} // namespace chimera::sim

#endif
