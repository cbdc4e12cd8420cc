// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which bytes of the arena each value of a straight-line program has.

#include "passes/ArenaPlanner.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"

using namespace chimera;

int64_t chimera::planArena(llvm::MutableArrayRef<ArenaRequest> requests) {
  llvm::SmallVector<ArenaRequest *> order, placed; // placed: by offset
  for (ArenaRequest &request : requests) {
    order.push_back(&request);
  }
  // Requests lie in an array, so their addresses tell the earlier one.
  llvm::sort(order, [](const ArenaRequest *a, const ArenaRequest *b) {
    return a->bytes != b->bytes ? a->bytes > b->bytes : a < b;
  });
  int64_t arenaBytes = 0;
  for (ArenaRequest *request : order) {
    int64_t offset = 0;
    for (const ArenaRequest *other : placed) {
      bool together = other->first <= request->last && request->first <= other->last;
      if (!together) {
        continue;
      }
      if (offset + request->bytes <= other->offset) {
        break;
      }
      offset = std::max<int64_t>(offset, llvm::alignTo(other->offset + other->bytes, arenaAlignment));
    }
    request->offset = offset;
    placed.insert(llvm::upper_bound(placed, request,
                                    [](const ArenaRequest *a, const ArenaRequest *b) { return a->offset < b->offset; }),
                  request);
    arenaBytes = std::max<int64_t>(arenaBytes, llvm::alignTo(offset + request->bytes, arenaAlignment));
  }
  return arenaBytes;
}
