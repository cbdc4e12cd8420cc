// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/MakeDevice.h"

#include "runtime/device/CpuDevice.h"
#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/io/Result.h"

namespace chimera::runtime {

static_assert(mostDeviceThreads == CpuDevice::mostThreads);

Failure checkTarget(const std::string &target) {
  if (target == "ref" || target == "cpu" || target == "sim" || target == "cuda")
    return std::nullopt;
  return Error("compiled for target " + io::quote(target) + "; this runtime has devices for ref, cpu, sim and cuda");
}

Result<std::unique_ptr<Device>> makeDevice(const std::string &target, int64_t threads, int64_t kernelStack) {
  if (target == "cuda") {
    Result<std::unique_ptr<cuda::CudaDevice>> device = cuda::CudaDevice::create();
    if (!device)
      return device.error();
    return std::unique_ptr<Device>(std::move(*device));
  }
  Subnormals subnormals = target == "sim" ? Subnormals::Keep : Subnormals::Flush;
  Result<std::unique_ptr<CpuDevice>> device = threads ? CpuDevice::create(threads, kernelStack, subnormals)
                                                      : CpuDevice::createForProcess(kernelStack, subnormals);
  if (!device)
    return device.error();
  return std::unique_ptr<Device>(std::move(*device));
}

} // namespace chimera::runtime
