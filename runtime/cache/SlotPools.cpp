// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cache/SlotPools.h"

#include <algorithm>

namespace chimera::runtime {

/// No machine has more addresses than this for one pool.
static constexpr size_t mostReserved = size_t(1) << 46;

/// How many of `slots` slots, of `bytes` bytes in all pools, there are addresses for; at least 1.
static int64_t slotsThatFit(Device &device, size_t bytes, int64_t slots) {
  if (bytes == 0)
    return slots;
  size_t all;
  if (__builtin_mul_overflow(bytes, size_t(slots), &all) || all > mostReserved)
    all = mostReserved; // Each pool is smaller; all together would not fit anyway.
  size_t room = reservable(device, all);
  return room / bytes >= size_t(slots) ? slots : std::max<int64_t>(int64_t(room / bytes), 1);
}

Result<SlotPools> SlotPools::create(Device &device, const std::vector<Pool> &pools, int64_t slots) {
  SlotPools result;
  result.device = &device;
  for (const Pool &pool : pools) {
    size_t size;
    if (__builtin_mul_overflow(size_t(pool.bytesPerSlot), size_t(slots), &size) || size > mostReserved)
      return Error("pool " + io::quote(pool.name) + " is too large for " + std::to_string(slots) + " sequences",
                   CHIMERA_ERROR_LIMIT);
    result.total += pool.bytesPerSlot;
  }
  result.wished = slots;
  result.limit = slotsThatFit(device, size_t(result.total), slots);
  for (const Pool &pool : pools) {
    Result<Region> region = device.reserve(size_t(pool.bytesPerSlot) * size_t(result.limit), "a cache");
    if (!region)
      return region.error();
    result.regions.emplace_back(device, *region);
    result.bytes.push_back(size_t(pool.bytesPerSlot));
  }
  return result;
}

Result<int32_t> SlotPools::take(bool overwritten) {
  int32_t slot = free.empty() ? high : *free.begin();
  if (slot >= limit)
    return Error("all " + std::to_string(limit) + " places for sequences are taken" +
                     (limit < wished
                          ? "; this process had no addresses for the " + std::to_string(wished) + " asked for"
                          : std::string()),
                 CHIMERA_ERROR_LIMIT);
  for (size_t i = 0; i < regions.size(); ++i)
    if (Failure failure = device->commit(*regions[i], (size_t(slot) + 1) * bytes[i]))
      return *failure;
  for (size_t i = 0; i < regions.size() && !overwritten; ++i)
    device->fill(at(i, slot), 0, bytes[i]);
  if (slot == high)
    ++high;
  else
    free.erase(slot);
  return slot;
}

} // namespace chimera::runtime
