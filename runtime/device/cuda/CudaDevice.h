// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_DEVICE_CUDA_CUDADEVICE_H
#define CHIMERA_RUNTIME_DEVICE_CUDA_CUDADEVICE_H

#include "runtime/device/Device.h"
#include "runtime/device/cuda/Driver.h"

#include <map>
#include <vector>

namespace chimera::runtime::cuda {

/// An NVIDIA GPU, by its driver's interface. Regions are ranges of its virtual addresses that get memory as they grow;
/// all work goes to one stream, in order. A fault of a kernel is known once something waits for it: the device is lost
/// then, the process is not.
class CudaDevice final : public Device {
public:
  /// The driver's first device; which one that is, its CUDA_VISIBLE_DEVICES says. Errors: no driver, no device, one
  /// that cannot map memory to addresses.
  static Result<std::unique_ptr<CudaDevice>> create();
  ~CudaDevice() override;
  CudaDevice(const CudaDevice &) = delete;
  CudaDevice &operator=(const CudaDevice &) = delete;

  Result<Region> reserve(size_t bytes, const char *what, bool large) override;
  Failure commit(Region &region, size_t bytes) override;
  void release(Region &region) override;
  void fill(void *to, int byte, size_t bytes) override;
  void copy(void *to, const void *from, size_t bytes) override;
  void upload(void *to, const void *fromHost, size_t bytes) override;
  void download(void *toHost, const void *from, size_t bytes) override;
  Result<void *> constant(const void *host, size_t bytes) override;
  Failure load(const std::string &image) override;
  chimera_kernel kernel(const std::string &symbol) override;
  void launch(const BoundLaunch &launch) override;
  void finish() override;
  Failure failure() const override { return lost; }
  int64_t usableMemory() const override;
  Subnormals subnormals() const override { return Subnormals::Keep; }

private:
  explicit CudaDevice(std::shared_ptr<const Driver> driver) : driver(std::move(driver)) {}
  Failure open();
  Failure describe();
  bool enter();
  bool check(const char *what, Status status);
  Failure map(Region &region, size_t bytes);

  std::shared_ptr<const Driver> driver;
  DeviceNumber number = 0;
  std::string name; ///< "NVIDIA H200, sm_90", for messages.
  Context context = nullptr;
  Stream stream = nullptr;
  Image image = nullptr;
  size_t granule = 0;                                 ///< Memory comes in multiples of it.
  std::map<const void *, std::vector<size_t>> pieces; ///< Of each region, by its base, the sizes of what is mapped.
  std::map<const void *, void *> constants;           ///< The device's address of each, by the host's.
  Region copies;                                      ///< Of the constants.
  size_t copied = 0;                                  ///< The bytes of it that are taken.
  Failure lost;
};

} // namespace chimera::runtime::cuda

#endif // CHIMERA_RUNTIME_DEVICE_CUDA_CUDADEVICE_H
