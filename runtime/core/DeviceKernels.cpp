// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/DeviceKernels.h"

namespace chimera::runtime {

Failure loadImage(Device &device, const Model &model) {
  if (model.image().empty())
    return std::nullopt;
  Failure failure = device.load(model.image());
  return failure ? Failure(Error(model.name() + ": " + failure->message, failure->status)) : failure;
}

Result<std::vector<chimera_kernel>> deviceKernels(Device &device, const Model &model, const Phase &phase,
                                                  const std::vector<chimera_kernel> &own) {
  if (model.image().empty())
    return own;
  std::vector<chimera_kernel> kernels;
  for (const Launch &launch : phase.launches) {
    kernels.push_back(device.kernel(launch.kernel));
    if (Failure failure = device.failure())
      return *failure;
    if (!kernels.back())
      return Error(model.name() + ": there is no kernel " + io::quote(launch.kernel));
  }
  return kernels;
}

} // namespace chimera::runtime
