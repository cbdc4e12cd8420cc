// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rules of shared and global memory that the simulator checks at every access.
#ifndef CHIMERA_RUNTIME_DEVICE_SIM_CHECKER_H
#define CHIMERA_RUNTIME_DEVICE_SIM_CHECKER_H

#include "runtime/device/sim/Simulator.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chimera::sim {

/// What happened to each byte of a block's shared memory, and which byte ranges of global memory the launch may touch.
/// Every check returns an empty text or what is wrong, without the thread and block, which the caller adds.
class Checker {
public:
  /// Forgets everything: a new block of `threads` threads with `bytes` of shared memory begins.
  void beginBlock(int threads, int64_t bytes, bool races);
  void setBuffers(const std::vector<Range> *ranges) { buffers = ranges; }

  /// All threads of the block have met: what they did before is ordered before what they do next.
  void blockBarrier() { ++blockEpoch; }
  /// The same for the lanes of one warp.
  void warpBarrier(int warp) { ++warpEpochs[warp]; }

  /// A plain access of `thread` to `bytes` bytes at `offset` from the start of shared memory.
  std::string read(int thread, int64_t offset, int64_t bytes);
  std::string write(int thread, int64_t offset, int64_t bytes);
  /// An asynchronous copy into shared memory begins: until it ends nobody may touch the bytes.
  std::string beginCopy(int thread, int64_t offset, int64_t bytes);
  /// The copying thread has waited for it.
  void endCopy(int thread, int64_t offset, int64_t bytes);

  /// An access to global memory.
  std::string global(const void *address, int64_t bytes, bool isWrite) const;

private:
  static constexpr int16_t kNobody = -1, kSeveralLanes = -2, kSeveralWarps = -3;
  struct Byte {
    uint32_t writeBlockEpoch = 0, writeWarpEpoch = 0, readBlockEpoch = 0, readWarpEpoch = 0;
    int16_t writer = kNobody, reader = kNobody, readerWarp = 0;
    bool copying = false;
  };
  std::string bounds(int64_t offset, int64_t bytes, const char *what) const;
  std::string checkWrite(int thread, int64_t offset, int64_t bytes, const char *what);
  /// True when thread's access is ordered after an access of `other` at these epochs.
  bool ordered(int thread, int other, uint32_t block, uint32_t warp) const;
  bool readIsOrdered(int thread, const Byte &byte) const;
  void noteRead(int thread, Byte &byte);
  void noteWrite(int thread, Byte &byte);

  std::vector<Byte> shadow;
  std::vector<uint32_t> warpEpochs;
  uint32_t blockEpoch = 1;
  int64_t size = 0;
  bool checkRaces = true;
  const std::vector<Range> *buffers = nullptr;
};

} // namespace chimera::sim

#endif
