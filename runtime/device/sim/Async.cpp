// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/sim/Async.h"

#include <cstring>

namespace chimera::sim {

void CopyQueue::clear() {
  open.clear();
  groups.clear();
}

void CopyQueue::start(const Copy &copy) {
  std::memset(copy.destination, 0xff, size_t(copy.bytes));
  open.push_back(copy);
}

void CopyQueue::commit() {
  groups.push_back(std::move(open));
  open.clear();
}

std::vector<Copy> CopyQueue::wait(int64_t groupsLeft) {
  std::vector<Copy> done;
  while (int64_t(groups.size()) > groupsLeft) {
    for (const Copy &copy : groups.front()) {
      std::memcpy(copy.destination, copy.source, size_t(copy.filled));
      std::memset(copy.destination + copy.filled, 0, size_t(copy.bytes - copy.filled));
      done.push_back(copy);
    }
    groups.pop_front();
  }
  return done;
}

} // namespace chimera::sim
