// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arrays of a step on a device.
#ifndef CHIMERA_RUNTIME_CORE_STEPBUFFERS_H
#define CHIMERA_RUNTIME_CORE_STEPBUFFERS_H

#include "runtime/core/StepBatch.h"
#include "runtime/device/Device.h"

#include <array>

namespace chimera::runtime {

/// Memory of `bytes` on a device, zeros.
Result<OwnedRegion> allocate(Device &device, size_t bytes, const char *what, bool large);

/// A region for each of the step buffers of docs/model-binary.md, of the size that the binary's limits need.
class StepBuffers {
public:
  /// Takes memory for the first `count` of them. The device must outlive them.
  Failure create(Device &device, const Manifest &manifest, int count);

  /// The device's address; null for one that there is not.
  uint8_t *base(StepBuffer buffer) const { return regions[size_t(buffer)]->base; }
  /// Copies the arrays of a batch to the device.
  void upload(const StepBatch &batch);
  /// Copies the array of one buffer.
  template <typename Array> void upload(StepBuffer buffer, const Array &array) {
    device->upload(base(buffer), array.data(), array.size() * sizeof(array[0]));
  }

private:
  Device *device = nullptr;
  std::array<OwnedRegion, stepBufferCount> regions;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_STEPBUFFERS_H
