// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The multi-mode cache of a session: slot pools and growing lists that move together or not at all.
#ifndef CHIMERA_RUNTIME_CACHE_CACHE_H
#define CHIMERA_RUNTIME_CACHE_CACHE_H

#include "runtime/cache/PagePool.h"
#include "runtime/cache/SlotPools.h"
#include "runtime/core/Manifest.h"
#include "runtime/device/Device.h"

#include <array>
#include <cstdint>
#include <vector>

namespace chimera::runtime {

struct SnapshotView;

/// Cache bytes by CacheMode.
struct MemoryUse {
  std::array<int64_t, CHIMERA_MEMORY_COUNT> reserved{};
  std::array<int64_t, CHIMERA_MEMORY_COUNT> used{};
};

/// A sequence's share of a step.
struct Growth {
  int32_t slot = 0;
  int64_t rows = 0;
};

/// The caches of all resident sequences. A call that fails changes nothing.
class Cache {
public:
  /// Reserves addresses for `maxSequences` sequences that hold at most `memoryLimit` bytes together. The manifest must
  /// outlive the cache.
  static Result<Cache> create(Device &device, const Manifest &manifest, int64_t maxSequences, int64_t memoryLimit);

  /// A slot for an empty sequence.
  Result<int32_t> add();
  /// A slot with a copy of what `source` holds. Full pages are shared; the partly filled one of a list is copied, so
  /// that no page that is still written to ever has two owners.
  Result<int32_t> fork(int32_t source);
  /// A slot with the content of a checked snapshot.
  Result<int32_t> restore(const SnapshotView &snapshot);
  void drop(int32_t slot);

  /// Makes sure that the sequences can grow by their rows, in one reserve() or several, if all rows enter all lists.
  Failure prepare(const std::vector<Growth> &growth);
  /// Before a step: gives each list pages for its length and the sequence's rows. Covered by an earlier prepare().
  void reserve(const std::vector<Growth> &growth);
  /// After it: reads back the lists' lengths and takes back the pages that were not needed.
  void settle(const std::vector<Growth> &growth);

  const SlotPools &slots() const { return slotPools; }
  const PagePool &pages() const { return pagePool; }
  /// A list's page table, [slots][stride]; moves when the cache grows. Entries without a page are -1.
  const std::vector<int32_t> &table(size_t list) const { return lists[list].table; }
  int64_t stride() const { return tableStride; }
  size_t listCount() const { return lists.size(); }
  /// Entries of a list.
  int64_t length(size_t list, int32_t slot) const { return lists[list].lengths[size_t(slot)]; }
  int32_t page(size_t list, int32_t slot, int64_t index) const {
    return lists[list].table[size_t(slot * tableStride + index)];
  }

  /// The bytes that resident sequences hold, shared pages once.
  int64_t heldBytes() const { return residents * slotPools.bytesPerSlot() + pagePool.taken() * pagePool.pageBytes(); }

  /// Adds a sequence's bytes to `use`. `begun`: it has consumed a token. Pages whose entry of `seen` is set are left
  /// out, and set for those that are not; without `seen` all count.
  void addMemoryUse(int32_t slot, bool begun, MemoryUse &use, std::vector<bool> *seen = nullptr) const;

private:
  struct List {
    size_t lengthPool = 0;
    CacheMode mode = CacheMode::Full;
    std::vector<int32_t> table;   ///< [slots][stride]
    std::vector<int64_t> lengths; ///< [slots]
  };

  Failure checkLimit(int64_t slotsMore, int64_t pagesMore) const;
  Result<int32_t> takeSlot(bool overwritten = false);
  void growTables(int64_t slots, int64_t stride);
  int64_t usedPoolBytes(size_t pool, int32_t slot, bool begun) const;

  Device *device = nullptr;
  const Manifest *manifest = nullptr;
  SlotPools slotPools;
  PagePool pagePool;
  std::vector<List> lists;
  /// For each pool, the ring that it holds entries of, or null.
  std::vector<const CacheLayout *> ringOf;
  int64_t tableSlots = 0;
  int64_t tableStride = 1;
  int64_t residents = 0;
  int64_t memoryLimit = 0;
};

/// The pages that hold `entries` entries of a list.
inline int64_t pagesFor(int64_t entries) {
  return (entries + 63) / 64;
}

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CACHE_CACHE_H
