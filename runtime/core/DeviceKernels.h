// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of a binary as the device that runs them knows them.
#ifndef CHIMERA_RUNTIME_CORE_DEVICEKERNELS_H
#define CHIMERA_RUNTIME_CORE_DEVICEKERNELS_H

#include "runtime/core/Model.h"
#include "runtime/device/Device.h"

#include <vector>

namespace chimera::runtime {

/// Has a device load the image of a binary whose kernels are not code of this machine; nothing for any other.
Failure loadImage(Device &device, const Model &model);

/// The kernels of a phase, one a launch: `own`, those that the model has for it, or what the device has loaded.
Result<std::vector<chimera_kernel>> deviceKernels(Device &device, const Model &model, const Phase &phase,
                                                  const std::vector<chimera_kernel> &own);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_DEVICEKERNELS_H
