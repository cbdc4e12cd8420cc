// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of a cache whose size is fixed: states, tails, rings, counts. A slot is one sequence's share of every pool.
#ifndef CHIMERA_RUNTIME_CACHE_SLOTPOOLS_H
#define CHIMERA_RUNTIME_CACHE_SLOTPOOLS_H

#include "runtime/core/Manifest.h"
#include "runtime/device/Device.h"

#include <cstdint>
#include <set>
#include <vector>

namespace chimera::runtime {

/// One array over slots a pool, at addresses that never move.
class SlotPools {
public:
  /// Reserves addresses for `slots` slots, or for fewer where a limit of address space does not leave room.
  static Result<SlotPools> create(Device &device, const std::vector<Pool> &pools, int64_t slots);

  /// The lowest free slot, all zeros; with anything in it where it is `overwritten` as a whole. Fails when all are
  /// taken or the system refuses memory, and then changes nothing.
  Result<int32_t> take(bool overwritten = false);
  void giveBack(int32_t slot) { free.insert(slot); }

  size_t count() const { return regions.size(); }
  /// A pool's base address.
  uint8_t *base(size_t pool) const { return regions[pool]->base; }
  /// Where a pool keeps a slot, and how many bytes.
  uint8_t *at(size_t pool, int32_t slot) const { return base(pool) + size_t(slot) * bytes[pool]; }
  size_t bytesAt(size_t pool) const { return bytes[pool]; }
  /// The bytes of one slot in all pools.
  int64_t bytesPerSlot() const { return total; }
  /// One more than the highest slot ever taken.
  int32_t slotsEver() const { return high; }

private:
  Device *device = nullptr;
  std::vector<OwnedRegion> regions;
  std::vector<size_t> bytes;
  int64_t total = 0;
  int64_t limit = 0;
  int64_t wished = 0; ///< The limit that was asked for.
  int32_t high = 0;
  std::set<int32_t> free; ///< Below `high`.
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CACHE_SLOTPOOLS_H
