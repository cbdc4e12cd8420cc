// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What of the CUDA driver API is used (NVIDIA's CUDA Driver API reference; the layouts are those of its ABI): declared
// here, so that the runtime is built without the CUDA toolkit and runs where there is no driver.
#ifndef CHIMERA_RUNTIME_DEVICE_CUDA_DRIVERAPI_H
#define CHIMERA_RUNTIME_DEVICE_CUDA_DRIVERAPI_H

#include <cstddef>
#include <cstdint>

namespace chimera::runtime::cuda {

using Status = int; ///< CUresult.
inline constexpr Status success = 0, outOfMemory = 2, noDevice = 100;

using Address = uint64_t; ///< CUdeviceptr.
using DeviceNumber = int; ///< CUdevice.
using Context = struct ContextRecord *;
using Stream = struct StreamRecord *;
using Image = struct ImageRecord *;       ///< CUmodule.
using Function = struct FunctionRecord *; ///< CUfunction.
using Memory = unsigned long long;        ///< CUmemGenericAllocationHandle.

/// CUmemLocation.
struct MemoryLocation {
  int type; ///< 1: a device.
  int number;
};

/// CUmemAllocationProp.
struct MemoryProperties {
  int type; ///< 1: pinned.
  int handleTypes;
  MemoryLocation location;
  void *windowsAttributes;
  uint8_t flags[8];
};
static_assert(sizeof(MemoryProperties) == 32, "the driver's layout");

/// CUmemAccessDesc.
struct MemoryAccess {
  MemoryLocation location;
  int flags; ///< 3: read and write.
};
static_assert(sizeof(MemoryAccess) == 12, "the driver's layout");

/// CUdevice_attribute.
enum DeviceAttribute { CapabilityMajor = 75, CapabilityMinor = 76, VirtualMemory = 102 };

/// CUjit_option.
enum JitOption { ErrorLog = 5, ErrorLogBytes = 6 };

/// Flags of cuStreamCreate: it does not wait for the default stream.
inline constexpr unsigned nonBlocking = 1;

/// Keys of cuLaunchKernel's `extra`: all parameters as bytes.
inline void *const parameterBuffer = reinterpret_cast<void *>(1), *const parameterSize = reinterpret_cast<void *>(2);

/// Each function: its name here, its symbol in the driver, its parameters. All give a Status.
#define CHIMERA_CUDA_FUNCTIONS(FUNCTION)                                                                               \
  FUNCTION(getErrorName, "cuGetErrorName", (Status, const char **))                                                    \
  FUNCTION(getErrorString, "cuGetErrorString", (Status, const char **))                                                \
  FUNCTION(init, "cuInit", (unsigned))                                                                                 \
  FUNCTION(deviceGetCount, "cuDeviceGetCount", (int *))                                                                \
  FUNCTION(deviceGet, "cuDeviceGet", (DeviceNumber *, int))                                                            \
  FUNCTION(deviceGetName, "cuDeviceGetName", (char *, int, DeviceNumber))                                              \
  FUNCTION(deviceGetAttribute, "cuDeviceGetAttribute", (int *, int, DeviceNumber))                                     \
  FUNCTION(contextRetain, "cuDevicePrimaryCtxRetain", (Context *, DeviceNumber))                                       \
  FUNCTION(contextRelease, "cuDevicePrimaryCtxRelease_v2", (DeviceNumber))                                             \
  FUNCTION(contextSetCurrent, "cuCtxSetCurrent", (Context))                                                            \
  FUNCTION(memoryInfo, "cuMemGetInfo_v2", (size_t *, size_t *))                                                        \
  FUNCTION(imageLoad, "cuModuleLoadDataEx", (Image *, const void *, unsigned, int *, void **))                         \
  FUNCTION(imageUnload, "cuModuleUnload", (Image))                                                                     \
  FUNCTION(imageGetFunction, "cuModuleGetFunction", (Function *, Image, const char *))                                 \
  FUNCTION(streamCreate, "cuStreamCreate", (Stream *, unsigned))                                                       \
  FUNCTION(streamDestroy, "cuStreamDestroy_v2", (Stream))                                                              \
  FUNCTION(streamSynchronize, "cuStreamSynchronize", (Stream))                                                         \
  FUNCTION(granularity, "cuMemGetAllocationGranularity", (size_t *, const MemoryProperties *, int))                    \
  FUNCTION(addressReserve, "cuMemAddressReserve", (Address *, size_t, size_t, Address, unsigned long long))            \
  FUNCTION(addressFree, "cuMemAddressFree", (Address, size_t))                                                         \
  FUNCTION(memoryCreate, "cuMemCreate", (Memory *, size_t, const MemoryProperties *, unsigned long long))              \
  FUNCTION(memoryRelease, "cuMemRelease", (Memory))                                                                    \
  FUNCTION(memoryMap, "cuMemMap", (Address, size_t, size_t, Memory, unsigned long long))                               \
  FUNCTION(memoryUnmap, "cuMemUnmap", (Address, size_t))                                                               \
  FUNCTION(memorySetAccess, "cuMemSetAccess", (Address, size_t, const MemoryAccess *, size_t))                         \
  FUNCTION(fill, "cuMemsetD8Async", (Address, unsigned char, size_t, Stream))                                          \
  FUNCTION(copy, "cuMemcpyDtoDAsync_v2", (Address, Address, size_t, Stream))                                           \
  FUNCTION(upload, "cuMemcpyHtoDAsync_v2", (Address, const void *, size_t, Stream))                                    \
  FUNCTION(download, "cuMemcpyDtoHAsync_v2", (void *, Address, size_t, Stream))                                        \
  FUNCTION(launch, "cuLaunchKernel",                                                                                   \
           (Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Stream, void **, void **))

} // namespace chimera::runtime::cuda

#endif // CHIMERA_RUNTIME_DEVICE_CUDA_DRIVERAPI_H
