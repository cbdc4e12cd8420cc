// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/sim/Warp.h"

#include <cmath>
#include <cstring>

namespace chimera::sim {

namespace {

float fromBf16(uint32_t half) {
  uint32_t bits = (half & 0xffff) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float asFloat(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

uint32_t asBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// The lane that `lane` reads from, or -1 when that is out of range. The clamp word's low five bits bound the source,
/// the bits above split the warp into segments.
int shuffleSource(WarpOp op, int lane, uint32_t argument, uint32_t clampWord) {
  int clamp = int(clampWord & 31), segment = int(clampWord >> 8 & 31), offset = int(argument & 31);
  int lowest = lane & segment, highest = (lane & segment) | (clamp & ~segment);
  int source = 0;
  bool inside = false;
  switch (op) {
  case WarpOp::ShuffleUp:
    source = lane - offset;
    return source >= highest ? source : -1; // for .up the clamp word bounds from below
  case WarpOp::ShuffleXor:
    source = lane ^ offset;
    inside = source <= highest;
    break;
  default:
    source = lowest | (offset & ~segment);
    inside = source <= highest;
    break;
  }
  return inside ? source : -1;
}

void shuffle(WarpMeeting &meeting) {
  for (int lane = 0; lane < kWarpLanes; ++lane) {
    const WarpRequest &request = meeting.lanes[lane];
    int source = shuffleSource(request.op, lane, request.in[1], request.in[2]);
    request.out[0] = meeting.lanes[source < 0 ? lane : source].in[0];
  }
}

void ballot(WarpMeeting &meeting) {
  uint32_t bits = 0;
  for (int lane = 0; lane < kWarpLanes; ++lane)
    bits |= uint32_t(meeting.lanes[lane].in[0] != 0) << lane;
  for (WarpRequest &request : meeting.lanes)
    request.out[0] = bits;
}

void mmaBf16(WarpMeeting &meeting) {
  float a[16][16], b[16][8], d[16][8];
  for (int lane = 0; lane < kWarpLanes; ++lane) {
    const auto &in = meeting.lanes[lane].in;
    int group = lane / 4, pair = 2 * (lane % 4);
    for (int i = 0; i < 8; ++i) { // a0,a1: row group; a2,a3: row group + 8; a4..a7: the same eight columns on
      int row = group + (i / 2 % 2) * 8, column = pair + i % 2 + (i / 4) * 8;
      a[row][column] = fromBf16(in[i / 2] >> (i % 2 * 16));
    }
    for (int i = 0; i < 4; ++i)
      b[pair + i % 2 + (i / 2) * 8][group] = fromBf16(in[4 + i / 2] >> (i % 2 * 16));
    for (int i = 0; i < 4; ++i)
      d[group + (i / 2) * 8][pair + i % 2] = asFloat(in[6 + i]);
  }
  for (int row = 0; row < 16; ++row)
    for (int k = 0; k < 16; ++k)
      for (int column = 0; column < 8; ++column)
        d[row][column] = std::fma(a[row][k], b[k][column], d[row][column]);
  for (int lane = 0; lane < kWarpLanes; ++lane)
    for (int i = 0; i < 4; ++i)
      meeting.lanes[lane].out[i] = asBits(d[lane / 4 + (i / 2) * 8][2 * (lane % 4) + i % 2]);
}

} // namespace

const char *warpOpName(WarpOp op) {
  switch (op) {
  case WarpOp::Sync:
    return "bar.warp.sync";
  case WarpOp::ShuffleXor:
    return "shfl.sync.bfly";
  case WarpOp::ShuffleUp:
    return "shfl.sync.up";
  case WarpOp::ShuffleIndex:
    return "shfl.sync.idx";
  case WarpOp::Ballot:
    return "vote.sync.ballot";
  case WarpOp::LoadMatrix:
    return "ldmatrix";
  case WarpOp::LoadMatrixTransposed:
    return "ldmatrix.trans";
  case WarpOp::MmaBf16:
    return "mma.m16n8k16";
  }
  return "?";
}

void executeWarp(WarpMeeting &meeting) {
  switch (meeting.lanes[0].op) {
  case WarpOp::Sync:
    return;
  case WarpOp::ShuffleXor:
  case WarpOp::ShuffleUp:
  case WarpOp::ShuffleIndex:
    return shuffle(meeting);
  case WarpOp::Ballot:
    return ballot(meeting);
  case WarpOp::MmaBf16:
    return mmaBf16(meeting);
  case WarpOp::LoadMatrix:
    return loadMatrix(meeting, false);
  case WarpOp::LoadMatrixTransposed:
    return loadMatrix(meeting, true);
  }
}

void loadMatrix(WarpMeeting &meeting, bool transposed) {
  for (int matrix = 0; matrix < 4; ++matrix) {
    uint16_t rows[8][8];
    for (int row = 0; row < 8; ++row)
      std::memcpy(rows[row], meeting.lanes[8 * matrix + row].address, sizeof rows[row]);
    for (int lane = 0; lane < kWarpLanes; ++lane) {
      int major = lane / 4, minor = 2 * (lane % 4);
      uint32_t low = transposed ? rows[minor][major] : rows[major][minor];
      uint32_t high = transposed ? rows[minor + 1][major] : rows[major][minor + 1];
      meeting.lanes[lane].out[matrix] = low | high << 16;
    }
  }
}

int bankConflicts(const WarpMeeting &meeting) {
  int conflicts = 0;
  for (int matrix = 0; matrix < 4; ++matrix) {
    uint32_t seen = 0; // a row of 16 bytes covers four of the 32 banks: eight groups
    bool twice = false;
    for (int row = 0; row < 8; ++row) {
      auto group = uint32_t(1) << (reinterpret_cast<uintptr_t>(meeting.lanes[8 * matrix + row].address) / 16 % 8);
      twice |= (seen & group) != 0;
      seen |= group;
    }
    conflicts += twice;
  }
  return conflicts;
}

} // namespace chimera::sim
