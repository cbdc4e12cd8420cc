// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/MemoryPlan.h"

#include <algorithm>
#include <numeric>

namespace chimera::serve {

MemoryPlan::MemoryPlan(const runtime::Manifest &manifest, int64_t maxSequences, int64_t memoryLimit)
    : pageEntries(manifest.pages.entries), maxSequences(maxSequences), limit(memoryLimit) {
  for (const runtime::Pool &pool : manifest.pools)
    slotBytes[size_t(pool.mode)] += pool.bytesPerSlot;
  for (const runtime::CacheLayout &cache : manifest.caches)
    if (cache.kind == runtime::CacheKind::List)
      pageBytes[size_t(cache.mode)] += manifest.pages.bytes;
}

Need MemoryPlan::need(int64_t sequences, int64_t tokens) const {
  Need all;
  all.sequences = sequences;
  __int128 sum = 0;
  __int128 pages = (__int128(tokens) + pageEntries - 1) / pageEntries;
  for (size_t mode = 0; mode < all.byMode.size(); ++mode) {
    __int128 bytes = sequences * (slotBytes[mode] + pages * pageBytes[mode]);
    sum += bytes;
    all.byMode[mode] = int64_t(std::min<__int128>(bytes, INT64_MAX));
  }
  all.bytes = int64_t(std::min<__int128>(sum, INT64_MAX));
  return all;
}

int64_t MemoryPlan::mostTokens() const {
  int64_t page = std::accumulate(pageBytes.begin(), pageBytes.end(), int64_t(0));
  int64_t left = limit - std::accumulate(slotBytes.begin(), slotBytes.end(), int64_t(0));
  if (left < 0)
    return 0;
  if (page == 0)
    return INT32_MAX;
  return std::min<int64_t>(left / page, INT32_MAX / pageEntries) * pageEntries;
}

void Need::add(const Need &other, int64_t sign) {
  sequences += sign * other.sequences;
  bytes += sign * other.bytes;
  for (size_t mode = 0; mode < byMode.size(); ++mode)
    byMode[mode] += sign * other.byMode[mode];
}

} // namespace chimera::serve
