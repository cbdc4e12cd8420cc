// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cache/PagePool.h"

#include <algorithm>

namespace chimera::runtime {

/// The most addresses to reserve for pages, whatever the memory limit.
static constexpr int64_t mostReserved = int64_t(1) << 45;
/// The pages that there is room to keep count of from the start.
static constexpr int64_t leastRoom = 4096;

Result<PagePool> PagePool::create(Device &device, int64_t pageBytes, int64_t memoryLimit) {
  PagePool pool;
  pool.device = &device;
  pool.bytes = pageBytes;
  if (pageBytes == 0)
    return pool;
  pool.wished = std::min<int64_t>(std::min(memoryLimit, mostReserved) / pageBytes, INT32_MAX);
  pool.limit = int64_t(reservable(device, size_t(pool.wished) * size_t(pageBytes))) / pageBytes;
  Result<Region> region = device.reserve(size_t(pool.limit) * size_t(pageBytes), "pages", /*large=*/true);
  if (!region)
    return region.error();
  pool.region = OwnedRegion(device, *region);
  return pool;
}

Failure PagePool::prepare(int64_t pages) {
  int64_t more = pages - int64_t(free.size() + clean.size());
  if (more <= 0)
    return std::nullopt;
  int64_t target = pagesEver() + more;
  if (target > limit)
    return Error("out of pages: " + std::to_string(pages) + " more needed, room for " +
                     std::to_string(limit - taken()) +
                     (limit < wished ? " as this process had no addresses for more" : ""),
                 CHIMERA_ERROR_LIMIT);
  if (references.capacity() < size_t(target))
    for (std::vector<int32_t> *list : {&references, &free, &clean}) // So that take and giveBack never allocate.
      list->reserve(size_t(std::max(target * 2, leastRoom)));
  return device->commit(*region, size_t(target) * size_t(bytes));
}

int32_t PagePool::take(bool overwritten) {
  int32_t page;
  if (!clean.empty()) {
    page = clean.back();
    clean.pop_back();
  } else if (!free.empty()) {
    page = free.back();
    free.pop_back();
    if (!overwritten)
      device->fill(at(page), 0, size_t(bytes));
  } else { // New memory is zero.
    page = int32_t(references.size());
    references.push_back(0);
  }
  references[size_t(page)] = 1;
  return page;
}

void PagePool::giveBack(int32_t page) {
  if (--references[size_t(page)] == 0)
    free.push_back(page);
}

void PagePool::giveBackUntouched(int32_t page) {
  references[size_t(page)] = 0;
  clean.push_back(page);
}

} // namespace chimera::runtime
