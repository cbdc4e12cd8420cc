// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_DEVICE_CUDA_DRIVER_H
#define CHIMERA_RUNTIME_DEVICE_CUDA_DRIVER_H

#include "runtime/core/Error.h"
#include "runtime/device/cuda/DriverApi.h"

#include <memory>
#include <string>

namespace chimera::runtime::cuda {

/// The functions of NVIDIA's driver, which is found when it is first asked for.
class Driver {
public:
  /// Opens the driver: the library that the environment's CHIMERA_CUDA_DRIVER names, else libcuda.so.1. Errors: there
  /// is none, it lacks a function, it does not start.
  static Result<std::shared_ptr<const Driver>> open();

  /// What the driver says of a status: its name, and its text.
  std::string textOf(Status status) const;
  /// "what: the driver's text" with CHIMERA_ERROR_SYSTEM.
  Error error(const std::string &what, Status status) const;

#define CHIMERA_CUDA_MEMBER(name, symbol, parameters) Status(*name) parameters = nullptr;
  CHIMERA_CUDA_FUNCTIONS(CHIMERA_CUDA_MEMBER)
#undef CHIMERA_CUDA_MEMBER

private:
  Driver() = default;
  Failure load();
};

} // namespace chimera::runtime::cuda

#endif // CHIMERA_RUNTIME_DEVICE_CUDA_DRIVER_H
