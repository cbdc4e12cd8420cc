// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Asynchronous copies from global to shared memory, as cp.async makes them.
#ifndef CHIMERA_RUNTIME_DEVICE_SIM_ASYNC_H
#define CHIMERA_RUNTIME_DEVICE_SIM_ASYNC_H

#include <cstdint>
#include <deque>
#include <vector>

namespace chimera::sim {

/// A copy of `bytes` bytes of which all from `filled` on are zeros.
struct Copy {
  char *destination = nullptr;
  const char *source = nullptr;
  int64_t bytes = 0;
  int64_t filled = 0;
};

/// The copies that one thread has begun and not waited for. Nothing is copied before the wait that asks for it: till
/// then the destination holds a pattern that is a NaN in every floating-point type, so that a missing wait shows.
class CopyQueue {
public:
  void clear();
  void start(const Copy &copy);
  /// Closes the group of the copies begun since the last commit.
  void commit();
  /// Performs the oldest groups until at most `groupsLeft` are left; returns the copies performed.
  std::vector<Copy> wait(int64_t groupsLeft);

private:
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> groups;
};

} // namespace chimera::sim

#endif
