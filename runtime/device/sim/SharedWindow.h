// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The memory that stands for a block's shared memory.
#ifndef CHIMERA_RUNTIME_DEVICE_SIM_SHAREDWINDOW_H
#define CHIMERA_RUNTIME_DEVICE_SIM_SHAREDWINDOW_H

#include <cstddef>

namespace chimera::sim {

/// A mapping below 4 GiB, so that the 32-bit shared addresses that kernels compute and put into descriptors are usable
/// as they are. It has inaccessible pages on both sides.
class SharedWindow {
public:
  /// The most shared memory of one block, in bytes (sm_90: 227 KiB).
  static constexpr size_t kMostBytes = 227 * 1024;

  SharedWindow() = default;
  SharedWindow(const SharedWindow &) = delete;
  SharedWindow &operator=(const SharedWindow &) = delete;
  ~SharedWindow();

  /// Maps the window if it is not there yet. False when no free place below 4 GiB was found.
  bool map();
  /// The window's first byte; a multiple of 1024.
  char *base() const { return first; }

private:
  char *mapping = nullptr;
  char *first = nullptr;
};

} // namespace chimera::sim

#endif
