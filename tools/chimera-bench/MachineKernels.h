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

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_MACHINEKERNELS_H
