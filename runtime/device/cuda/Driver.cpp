// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cuda/Driver.h"

#include <cstdlib>
#include <dlfcn.h>

namespace chimera::runtime::cuda {

Failure Driver::load() {
  const char *named = std::getenv("CHIMERA_CUDA_DRIVER");
  std::string path = named && *named ? named : "libcuda.so.1";
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); // It stays: it has threads of its own.
  if (!library) {
    const char *reason = dlerror();
    return Error("there is no NVIDIA driver (" + io::escaped(reason ? reason : path) +
                     "); a binary for sim runs the same kernels on the CPU",
                 CHIMERA_ERROR_SYSTEM);
  }
  const char *missing = nullptr;
  auto find = [&](const char *symbol) {
    void *found = dlsym(library, symbol);
    if (!found && !missing)
      missing = symbol;
    return found;
  };
#define CHIMERA_CUDA_FIND(name, symbol, parameters) name = reinterpret_cast<Status(*) parameters>(find(symbol));
  CHIMERA_CUDA_FUNCTIONS(CHIMERA_CUDA_FIND)
#undef CHIMERA_CUDA_FIND
  if (missing)
    return Error("the NVIDIA driver " + io::quote(path) + " has no " + missing + "; a newer one has",
                 CHIMERA_ERROR_SYSTEM);
  if (Status status = init(0))
    return error("starting the NVIDIA driver", status);
  return std::nullopt;
}

Result<std::shared_ptr<const Driver>> Driver::open() {
  std::shared_ptr<Driver> driver(new Driver);
  if (Failure failure = driver->load())
    return *failure;
  return std::shared_ptr<const Driver>(std::move(driver));
}

std::string Driver::textOf(Status status) const {
  const char *name = nullptr, *text = nullptr;
  if (getErrorName(status, &name) != success || !name)
    return "error " + std::to_string(status);
  if (getErrorString(status, &text) != success || !text)
    return name;
  return std::string(name) + ", " + text;
}

Error Driver::error(const std::string &what, Status status) const {
  return Error(what + ": " + io::escaped(textOf(status)), CHIMERA_ERROR_SYSTEM);
}

} // namespace chimera::runtime::cuda
