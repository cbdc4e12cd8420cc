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

/// What happened to each byte of a block's shared memory and of the launch's buffers. Every check returns an empty text
/// or what is wrong, without the thread and block, which the caller adds.
///
/// Two accesses of different threads to one byte, one of them a write, must be ordered: by a barrier of the block, or
/// of the warp when both threads are of one warp. Accesses of different blocks are not compared.
class Checker {
public:
  /// A launch begins. `ranges` outlives it; races are looked for if `races`.
  void beginLaunch(const std::vector<Range> &ranges, bool races);
  /// A block of `threads` threads with `bytes` of shared memory begins, its memory unwritten.
  void beginBlock(int threads, int64_t bytes);

  /// All threads of the block have met: what they did before is ordered before what they do next.
  void blockBarrier() { ++blockEpoch; }
  /// The same for the lanes of one warp.
  void warpBarrier(int warp) { ++warpEpochs[size_t(warp)]; }

  /// A plain access of `thread` to `bytes` bytes at `offset` from the start of shared memory.
  std::string readShared(int thread, int64_t offset, int64_t bytes);
  std::string writeShared(int thread, int64_t offset, int64_t bytes);
  /// An asynchronous copy into shared memory begins: until it ends nobody may touch the bytes.
  std::string beginCopy(int thread, int64_t offset, int64_t bytes);
  /// The copying thread has waited for it.
  void endCopy(int thread, int64_t offset, int64_t bytes);

  /// A plain access to global memory; and an atomic one, of which only the place is checked.
  std::string readGlobal(int thread, const void *address, int64_t bytes);
  std::string writeGlobal(int thread, const void *address, int64_t bytes);
  std::string atomicGlobal(const void *address, int64_t bytes);

private:
  static constexpr int16_t kNobody = -1, kSeveralLanes = -2, kSeveralWarps = -3;
  struct Byte {
    uint32_t writeBlockEpoch = 0, writeWarpEpoch = 0, readBlockEpoch = 0, readWarpEpoch = 0;
    int16_t writer = kNobody, reader = kNobody, readerWarp = 0;
    bool copying = false;
  };
  /// Some bytes, for a check and its message: of shared memory (buffer -1) or of a buffer.
  struct Place {
    int64_t buffer = -1, offset = 0, bytes = 0;
    Byte *shadow = nullptr; ///< null when races are not looked for
  };
  static std::string textOf(const Place &place);
  std::string locateShared(int64_t offset, int64_t bytes, const char *what, Place &place);
  std::string locateGlobal(const void *address, int64_t bytes, const char *what, Place &place);
  std::string checkRead(int thread, const Place &place);
  std::string checkWrite(int thread, const Place &place, const char *what);
  void noteRead(int thread, Byte &byte);
  void noteWrite(int thread, Byte &byte);
  /// True when an access of `thread` comes after one of `other` at these epochs.
  bool ordered(int thread, int other, uint32_t block, uint32_t warp) const;
  bool readIsOrdered(int thread, const Byte &byte) const;

  std::vector<Byte> shared;
  std::vector<std::vector<Byte>> global; ///< a buffer's, made when it is first touched
  std::vector<uint32_t> warpEpochs;
  uint32_t blockEpoch = 1; ///< grows over the whole launch, so that earlier blocks' accesses are ordered
  int64_t sharedBytes = 0;
  bool checkRaces = true;
  const std::vector<Range> *buffers = nullptr;
};

} // namespace chimera::sim

#endif
