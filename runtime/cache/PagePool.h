// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The memory of growing lists: pages of one size with reference counts, so that forked sequences share full ones.
#ifndef CHIMERA_RUNTIME_CACHE_PAGEPOOL_H
#define CHIMERA_RUNTIME_CACHE_PAGEPOOL_H

#include "runtime/device/Device.h"

#include <cstdint>
#include <vector>

namespace chimera::runtime {

/// Pages at addresses that never move. A page is zero when it is taken: its unused part never shows what another
/// sequence left there. One that was given back untouched is not cleared again.
class PagePool {
public:
  /// Reserves addresses for as many pages as `memoryLimit` bytes hold, or for fewer where a limit of address space does
  /// not leave room. `pageBytes` 0: a pool without pages.
  static Result<PagePool> create(Device &device, int64_t pageBytes, int64_t memoryLimit);

  /// Makes sure that the next `pages` calls of take() succeed.
  Failure prepare(int64_t pages);
  /// A page with one reference; with anything in it where it is `overwritten` as a whole. Only after a prepare() that
  /// covers it.
  int32_t take(bool overwritten = false);
  void share(int32_t page) { ++references[size_t(page)]; }
  /// Drops one reference.
  void giveBack(int32_t page);
  /// Drops the only reference to a page to which nothing was written.
  void giveBackUntouched(int32_t page);

  uint8_t *base() const { return region->base; }
  uint8_t *at(int32_t page) const { return base() + size_t(page) * size_t(bytes); }
  int64_t pageBytes() const { return bytes; }
  /// Pages with at least one reference.
  int64_t taken() const { return int64_t(references.size() - free.size() - clean.size()); }
  /// One more than the highest page ever taken.
  int64_t pagesEver() const { return int64_t(references.size()); }

private:
  Device *device = nullptr;
  OwnedRegion region;
  int64_t bytes = 0;
  int64_t limit = 0;
  int64_t wished = 0;              ///< What the memory limit alone would allow.
  std::vector<int32_t> references; ///< Of each page ever taken.
  std::vector<int32_t> free;
  std::vector<int32_t> clean; ///< Free too, and zero.
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CACHE_PAGEPOOL_H
