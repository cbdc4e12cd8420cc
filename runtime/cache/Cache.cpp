// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cache/Cache.h"

#include "runtime/cache/Snapshot.h"

#include <algorithm>

namespace chimera::runtime {

Result<Cache> Cache::create(Device &device, const Manifest &manifest, int64_t maxSequences, int64_t memoryLimit) {
  Cache cache;
  cache.device = &device;
  cache.manifest = &manifest;
  cache.memoryLimit = memoryLimit;
  Result<SlotPools> slots = SlotPools::create(device, manifest.pools, maxSequences);
  if (!slots)
    return slots.error();
  cache.slotPools = std::move(*slots);
  Result<PagePool> pages = PagePool::create(device, manifest.pages.bytes, memoryLimit);
  if (!pages)
    return pages.error();
  cache.pagePool = std::move(*pages);
  cache.lists.resize(size_t(manifest.pages.tables));
  cache.ringOf.assign(manifest.pools.size(), nullptr);
  for (const CacheLayout &layout : manifest.caches) {
    if (layout.kind == CacheKind::List)
      cache.lists[size_t(layout.table)] = {size_t(layout.pools[0]), layout.mode, {}, {}};
    if (layout.kind == CacheKind::Ring)
      for (size_t i = 0; i + 1 < layout.pools.size(); ++i)
        cache.ringOf[size_t(layout.pools[i])] = &layout;
  }
  return cache;
}

Failure Cache::checkLimit(int64_t slotsMore, int64_t pagesMore) const {
  int64_t more = slotsMore * slotPools.bytesPerSlot(), pageMemory;
  if (!__builtin_mul_overflow(pagesMore, pagePool.pageBytes(), &pageMemory) &&
      !__builtin_add_overflow(more, pageMemory, &more) && more <= memoryLimit - heldBytes())
    return std::nullopt;
  return Error("the caches would need more memory than the limit of " + std::to_string(memoryLimit) +
                   " bytes: " + std::to_string(heldBytes()) + " are held, " + std::to_string(slotsMore) +
                   " slots and " + std::to_string(pagesMore) + " pages more may be needed",
               CHIMERA_ERROR_LIMIT);
}

void Cache::growTables(int64_t slots, int64_t stride) {
  slots = slots > tableSlots ? std::max(slots, tableSlots * 2) : tableSlots;
  stride = stride > tableStride ? std::max(stride, tableStride * 2) : tableStride;
  if (slots == tableSlots && stride == tableStride)
    return;
  // All new tables are made before the first old one goes, so that running out of memory changes nothing.
  std::vector<std::vector<int32_t>> tables(lists.size());
  for (size_t l = 0; l < lists.size(); ++l) {
    tables[l].assign(size_t(slots * stride), -1);
    for (int64_t slot = 0; slot < tableSlots; ++slot)
      std::copy_n(lists[l].table.begin() + slot * tableStride, tableStride, tables[l].begin() + slot * stride);
    lists[l].lengths.resize(size_t(slots), 0);
  }
  for (size_t l = 0; l < lists.size(); ++l)
    lists[l].table.swap(tables[l]);
  tableSlots = slots;
  tableStride = stride;
}

Result<int32_t> Cache::takeSlot(bool overwritten) {
  growTables(slotPools.slotsEver() + 1, tableStride);
  Result<int32_t> slot = slotPools.take(overwritten);
  if (slot)
    ++residents;
  return slot;
}

Result<int32_t> Cache::add() {
  if (Failure failure = checkLimit(1, 0))
    return *failure;
  return takeSlot();
}

Result<int32_t> Cache::fork(int32_t source) {
  int64_t partial = 0;
  for (const List &list : lists)
    partial += list.lengths[size_t(source)] % 64 != 0;
  if (Failure failure = checkLimit(1, partial))
    return *failure;
  if (Failure failure = pagePool.prepare(partial))
    return *failure;
  Result<int32_t> copy = takeSlot(true);
  if (!copy)
    return copy;
  for (size_t pool = 0; pool < slotPools.count(); ++pool)
    device->copy(slotPools.at(pool, *copy), slotPools.at(pool, source), slotPools.bytesAt(pool));
  for (List &list : lists) {
    int64_t length = list.lengths[size_t(source)];
    const int32_t *from = &list.table[size_t(source * tableStride)];
    int32_t *to = &list.table[size_t(*copy * tableStride)];
    for (int64_t i = 0; i < length / 64; ++i)
      pagePool.share(to[i] = from[i]);
    if (int64_t i = length / 64; length % 64 != 0) {
      to[i] = pagePool.take(true);
      device->copy(pagePool.at(to[i]), pagePool.at(from[i]), size_t(pagePool.pageBytes()));
    }
    list.lengths[size_t(*copy)] = length;
  }
  return copy;
}

Result<int32_t> Cache::restore(const SnapshotView &snapshot) {
  int64_t pages = 0, longest = 0;
  for (const SnapshotView::List &list : snapshot.lists) {
    pages += pagesFor(list.length);
    longest = std::max(longest, pagesFor(list.length));
  }
  if (Failure failure = checkLimit(1, pages))
    return *failure;
  if (Failure failure = pagePool.prepare(pages))
    return *failure;
  growTables(tableSlots, longest);
  Result<int32_t> slot = takeSlot(true);
  if (!slot)
    return slot;
  for (size_t pool = 0; pool < slotPools.count(); ++pool)
    device->upload(slotPools.at(pool, *slot), snapshot.pools[pool], slotPools.bytesAt(pool));
  for (size_t l = 0; l < lists.size(); ++l) {
    int32_t *table = &lists[l].table[size_t(*slot * tableStride)];
    for (int64_t i = 0; i < pagesFor(snapshot.lists[l].length); ++i) {
      table[i] = pagePool.take(true);
      device->upload(pagePool.at(table[i]), snapshot.lists[l].pages + i * pagePool.pageBytes(),
                     size_t(pagePool.pageBytes()));
    }
    lists[l].lengths[size_t(*slot)] = snapshot.lists[l].length;
  }
  return slot;
}

void Cache::drop(int32_t slot) {
  for (List &list : lists) {
    int32_t *table = &list.table[size_t(slot * tableStride)];
    for (int64_t i = 0; i < pagesFor(list.lengths[size_t(slot)]); ++i) {
      pagePool.giveBack(table[i]);
      table[i] = -1;
    }
    list.lengths[size_t(slot)] = 0;
  }
  slotPools.giveBack(slot);
  --residents;
}

Failure Cache::prepare(const std::vector<Growth> &growth) {
  int64_t pages = 0, longest = 0;
  for (const List &list : lists)
    for (const Growth &sequence : growth) {
      int64_t length = list.lengths[size_t(sequence.slot)];
      int64_t needed = pagesFor(length + sequence.rows);
      pages += needed - pagesFor(length);
      longest = std::max(longest, needed);
    }
  if (Failure failure = checkLimit(0, pages))
    return failure;
  growTables(tableSlots, longest);
  return pagePool.prepare(pages);
}

void Cache::reserve(const std::vector<Growth> &growth) {
  for (List &list : lists)
    for (const Growth &sequence : growth) {
      int64_t length = list.lengths[size_t(sequence.slot)];
      int32_t *table = &list.table[size_t(sequence.slot * tableStride)];
      for (int64_t i = pagesFor(length); i < pagesFor(length + sequence.rows); ++i)
        table[i] = pagePool.take();
    }
}

void Cache::settle(const std::vector<Growth> &growth) {
  for (List &list : lists)
    for (const Growth &sequence : growth) {
      int64_t &length = list.lengths[size_t(sequence.slot)];
      int64_t most = length + sequence.rows, now = 0;
      device->download(&now, slotPools.at(list.lengthPool, sequence.slot), sizeof now);
      length = std::clamp(now, length, most);
      int32_t *table = &list.table[size_t(sequence.slot * tableStride)];
      for (int64_t i = pagesFor(length); i < pagesFor(most); ++i) {
        pagePool.giveBackUntouched(table[i]); // Kernels write entries of the list and nothing past them.
        table[i] = -1;
      }
    }
}

int64_t Cache::usedPoolBytes(size_t pool, int32_t slot, bool begun) const {
  int64_t bytes = int64_t(slotPools.bytesAt(pool));
  if (!begun)
    return 0;
  const CacheLayout *ring = ringOf[pool];
  if (!ring)
    return bytes;
  int64_t count = 0;
  device->download(&count, slotPools.at(size_t(ring->pools.back()), slot), sizeof count);
  return bytes / ring->room * std::clamp<int64_t>(count, 0, manifest->model.window);
}

void Cache::addMemoryUse(int32_t slot, bool begun, MemoryUse &use, std::vector<bool> *seen) const {
  for (size_t pool = 0; pool < slotPools.count(); ++pool) {
    size_t mode = size_t(manifest->pools[pool].mode);
    use.reserved[mode] += int64_t(slotPools.bytesAt(pool));
    use.used[mode] += usedPoolBytes(pool, slot, begun);
  }
  for (size_t l = 0; l < lists.size(); ++l) {
    size_t mode = size_t(lists[l].mode);
    int64_t entries = length(l, slot);
    for (int64_t i = 0; i < pagesFor(entries); ++i) {
      if (seen && (*seen)[size_t(page(l, slot, i))])
        continue;
      if (seen)
        (*seen)[size_t(page(l, slot, i))] = true;
      use.reserved[mode] += pagePool.pageBytes();
      use.used[mode] += pagePool.pageBytes() * std::min<int64_t>(entries - 64 * i, 64) / 64;
    }
  }
}

} // namespace chimera::runtime
