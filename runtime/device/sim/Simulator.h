// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The simulator's one entry: run a launch of a GPU kernel on this CPU.
#ifndef CHIMERA_RUNTIME_DEVICE_SIM_SIMULATOR_H
#define CHIMERA_RUNTIME_DEVICE_SIM_SIMULATOR_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace chimera::sim {

/// Bytes of global memory that a launch may touch.
struct Range {
  const void *base = nullptr;
  size_t bytes = 0;
};

/// A kernel's x86 code: runs one thread. `params[i]` points to the value of parameter i, as in the CUDA driver's
/// launch.
using KernelEntry = void (*)(void *const *params);

struct Launch {
  KernelEntry entry = nullptr;
  void *const *params = nullptr;
  /// Thread blocks, and threads a block (a multiple of 32, at most 1024); both in the x direction.
  int64_t blocks = 0;
  int threads = 0;
  /// Shared memory of a block in bytes, at most 227 KiB.
  int64_t sharedBytes = 0;
  /// Global accesses outside all of these end the launch with an error.
  std::vector<Range> buffers;
  /// Look for reads and writes of one block that no barrier or wait orders, and for reads of unwritten shared memory.
  bool checkRaces = true;
  /// 0: blocks and threads run in ascending order. Else: in an order drawn from this seed, another one each time round.
  uint64_t seed = 0;
};

struct Statistics {
  uint64_t switches = 0;      ///< of fibers
  uint64_t barriers = 0;      ///< of whole blocks
  uint64_t warpOps = 0;       ///< shuffles, votes and barriers of a warp
  uint64_t matrixLoads = 0;   ///< ldmatrix, counted a warp
  uint64_t matrixOps = 0;     ///< mma, counted a warp
  uint64_t asyncCopies = 0;   ///< cp.async, counted a thread
  uint64_t bankConflicts = 0; ///< ldmatrix: 8-row phases that need the same bank twice
};

/// What came of a launch: an empty error, or one line that says what went wrong where. After an error the contents of
/// the buffers are unspecified.
struct Outcome {
  std::string error;
  Statistics statistics;
  bool ok() const { return error.empty(); }
};

/// Runs every block of the launch to its end, one after the other, on the calling thread. Thread-safe.
Outcome run(const Launch &launch);

} // namespace chimera::sim

#endif
