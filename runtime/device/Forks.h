// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whether what was made earlier was made by this process, or by the one that it was forked from.
#ifndef CHIMERA_RUNTIME_DEVICE_FORKS_H
#define CHIMERA_RUNTIME_DEVICE_FORKS_H

#include <cstdint>

namespace chimera::runtime {

/// Remembers the process that made it. A forked child has the memory of its parent, but none of its threads. Asking
/// takes no system call.
class MakerProcess {
public:
  MakerProcess();
  /// Whether this is the process that made the object.
  bool isThis() const;

private:
  uint64_t generation;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_DEVICE_FORKS_H
