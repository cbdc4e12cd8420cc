// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Library.h"

#include <cerrno>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace chimera::runtime {

/// Writes all of `bytes`; false with errno set when the system refuses.
static bool writeAll(int descriptor, ByteSpan bytes) {
  for (size_t done = 0; done < bytes.size;) {
    ssize_t wrote = write(descriptor, bytes.data + done, bytes.size - done);
    if (wrote < 0 && errno != EINTR)
      return false;
    if (wrote > 0)
      done += size_t(wrote);
  }
  return true;
}

Result<std::unique_ptr<Library>> Library::map(ByteSpan elf, const std::string &name) {
  std::unique_ptr<Library> library(new Library);
  library->descriptor = memfd_create("chimera-model", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (library->descriptor < 0)
    return systemError(name + ": creating a memory file", errno);
  if (!writeAll(library->descriptor, elf))
    return systemError(name + ": writing a memory file", errno);
  if (fcntl(library->descriptor, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return systemError(name + ": sealing a memory file", errno);
  std::string path = "/proc/self/fd/" + std::to_string(library->descriptor);
  library->handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library->handle) {
    const char *reason = dlerror();
    return Error(name + ": cannot be mapped: " + io::escaped(reason ? reason : "unknown reason"));
  }
  return library;
}

Library::~Library() {
  if (handle)
    dlclose(handle);
  if (descriptor >= 0)
    close(descriptor);
}

chimera_kernel Library::kernel(const std::string &symbol) const {
  return reinterpret_cast<chimera_kernel>(dlsym(handle, symbol.c_str()));
}

} // namespace chimera::runtime
