/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The loops that measure what the machine can do. Compiled once an instruction set; the files include nothing with
 * inline functions, so that no code for a newer CPU gets into the rest of the program.
 */
#ifndef CHIMERA_TOOLS_CHIMERABENCH_MACHINEKERNELS_H
#define CHIMERA_TOOLS_CHIMERABENCH_MACHINEKERNELS_H

#include <stddef.h>
#include <stdint.h>

namespace chimera::bench {

struct MachineKernels {
  const char *name;      ///< The instruction set.
  int64_t flopsPerRound; ///< Of `multiplyAdd`: 2 for each lane and accumulator.
  /// `rounds` rounds of independent f32 multiply-adds in registers. The result depends on all of them.
  float (*multiplyAdd)(int64_t rounds);
  /// Reads `bytes`, a multiple of 256, at a 64-byte aligned address. The result depends on all of them.
  uint64_t (*read)(const void *data, size_t bytes);
};

extern const MachineKernels machineKernelsSse2, machineKernelsAvx2, machineKernelsAvx512;

/// Products of bf16 numbers summed in f32, by an instruction that the CPU may have.
struct MachineProducts {
  const char *name;      ///< The instruction.
  const char *feature;   ///< Its name in /proc/cpuinfo.
  int64_t flopsPerRound; ///< Two for each product.
  /// `rounds` rounds of independent products in registers. The result depends on all of them. Tiles need the system's
  /// permission.
  float (*multiplyAdd)(int64_t rounds);
};

extern const MachineProducts machineDotBF16, machineTileBF16;

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_MACHINEKERNELS_H
