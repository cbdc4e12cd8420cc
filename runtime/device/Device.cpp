// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/Device.h"

namespace chimera::runtime {

size_t reservable(Device &device, size_t wish) {
  constexpr size_t least = 4096;
  for (size_t size = wish; size > 0; size = size > least ? size - size / 4 : 0) {
    Result<Region> probe = device.reserve(size * 2, "a probe");
    if (!probe)
      continue;
    device.release(*probe);
    return size;
  }
  return 0;
}

} // namespace chimera::runtime
