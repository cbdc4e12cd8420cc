// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pages of growing lists and the blocks of rings. Kernels address them and the manifest sizes them, so both ask
// here.

#ifndef CHIMERA_DIALECT_IR_PAGE_LAYOUT_H
#define CHIMERA_DIALECT_IR_PAGE_LAYOUT_H

#include "runtime/abi/Layout.h"

#include <cstdint>

namespace chimera::ir {

/// Entries in a page of a growing list; the same for every list of a model.
constexpr int64_t listPageEntries = abi::pageEntries;

/// Bytes of a page: keys [64][heads * dim] of `elementBytes` each, values alike, then weights [64] of `weightBytes`
/// each; to a whole number of cache lines. Lists without weights leave that room unused, so that all lists share one
/// pool of pages.
constexpr int64_t listPageBytes(int64_t heads, int64_t dim, int64_t elementBytes, int64_t weightBytes) {
  int64_t bytes = listPageEntries * (2 * heads * dim * elementBytes + weightBytes);
  return (bytes + 63) / 64 * 64;
}

/// Blocks of `block` entries that hold the last `window` entries wherever they start.
constexpr int64_t blocksOfWindow(int64_t window, int64_t block) {
  return (window - 1 + block - 1) / block + 1;
}

} // namespace chimera::ir

#endif // CHIMERA_DIALECT_IR_PAGE_LAYOUT_H
