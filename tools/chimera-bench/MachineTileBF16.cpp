// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tdpbf16ps: a tile of 16 x 16 sums, 32 products each. In assembly, so that the compiler need not know of tiles.
#include "tools/chimera-bench/MachineKernels.h"

namespace chimera::bench {

/// What ldtilecfg reads (palette 1): bytes a row and rows of each tile.
struct TileConfig {
  uint8_t palette, startRow, reserved[14];
  uint16_t columnBytes[16];
  uint8_t rows[16];
};

/// Of the eight tiles six hold sums; the other two are factors.
static constexpr int accumulators = 6;

static float multiplyAdd(int64_t rounds) {
  alignas(64) TileConfig config = {};
  config.palette = 1;
  for (int tile = 0; tile < 8; ++tile) {
    config.columnBytes[tile] = 64;
    config.rows[tile] = 16;
  }
  alignas(64) uint16_t ones[512];
  for (uint16_t &one : ones)
    one = 0x3F80; // 1 in bf16.
  alignas(64) float sums[256];
  int64_t rowBytes = 64;
  __asm__ volatile("ldtilecfg %0\n\t"
                   "tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\t"
                   "tilezero %%tmm3\n\ttilezero %%tmm4\n\ttilezero %%tmm5\n\t"
                   "tileloadd (%1,%2,1), %%tmm6\n\t"
                   "tileloadd (%1,%2,1), %%tmm7\n\t"
                   :
                   : "m"(config), "r"(ones), "r"(rowBytes), "m"(ones));
  for (int64_t round = 0; round < rounds; ++round)
    __asm__ volatile("tdpbf16ps %%tmm7, %%tmm6, %%tmm0\n\ttdpbf16ps %%tmm7, %%tmm6, %%tmm1\n\t"
                     "tdpbf16ps %%tmm7, %%tmm6, %%tmm2\n\ttdpbf16ps %%tmm7, %%tmm6, %%tmm3\n\t"
                     "tdpbf16ps %%tmm7, %%tmm6, %%tmm4\n\ttdpbf16ps %%tmm7, %%tmm6, %%tmm5\n\t" ::);
  __asm__ volatile("tilestored %%tmm5, (%1,%2,1)\n\t"
                   "tilerelease"
                   : "=m"(sums)
                   : "r"(sums), "r"(rowBytes));
  float result = 0;
  for (float sum : sums)
    result += sum;
  return result;
}

extern const MachineProducts machineTileBF16 = {"tdpbf16ps", "amx_bf16", int64_t(accumulators) * 16 * 16 * 32 * 2,
                                                multiplyAdd};

} // namespace chimera::bench
