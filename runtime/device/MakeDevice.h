// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The device that runs the binaries of a target.
#ifndef CHIMERA_RUNTIME_DEVICE_MAKEDEVICE_H
#define CHIMERA_RUNTIME_DEVICE_MAKEDEVICE_H

#include "runtime/device/Device.h"

#include <string>

namespace chimera::runtime {

/// The most threads of a device's that the caller may ask for.
inline constexpr int64_t mostDeviceThreads = 1024;

/// Nothing when this runtime has a device for a target, by its name in the manifest; else what it has devices for.
Failure checkTarget(const std::string &target);

/// The device for a target that checkTarget allows. `threads`: 1 .. mostDeviceThreads with the caller, or 0 for one for
/// each CPU that the process may use (fewer where so many cannot be started). `kernelStack`: Variant::stackBytes of the
/// kernels that will run.
Result<std::unique_ptr<Device>> makeDevice(const std::string &target, int64_t threads, int64_t kernelStack);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_DEVICE_MAKEDEVICE_H
