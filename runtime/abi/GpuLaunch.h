// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How kernels of GPU targets are launched: what the compiler writes and the runtime checks, once for both.
#ifndef CHIMERA_RUNTIME_ABI_GPULAUNCH_H
#define CHIMERA_RUNTIME_ABI_GPULAUNCH_H

#include "runtime/abi/chimera.h"

#include <cstdint>
#include <string_view>

namespace chimera::abi {

/// Whether a target's kernels are GPU kernels: blocks of its launches are thread blocks.
constexpr bool isGpuTarget(std::string_view target) {
  return target == "cuda" || target == "sim";
}

/// The section of a binary for cuda that holds the PTX of its kernels, with a zero byte at its end.
inline constexpr std::string_view ptxSection = ".chimera.ptx";

/// Threads of a thread block: whole warps, and the most that a GPU takes.
inline constexpr int64_t warpThreads = 32;
inline constexpr int64_t mostThreads = 1024;

/// The most bytes of a kernel's parameter.
inline constexpr int64_t mostGpuParameterBytes = 4096;

/// The bytes of a kernel's one parameter: the addresses of its buffers, then its arguments.
constexpr int64_t gpuParameterBytes(int64_t buffers, int64_t constants) {
  return 8 * (buffers + CHIMERA_ARG_CONSTANTS + constants);
}

} // namespace chimera::abi

#endif // CHIMERA_RUNTIME_ABI_GPULAUNCH_H
