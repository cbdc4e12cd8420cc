// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Library.h"

#include <cerrno>
#include <cstdlib>
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

Failure Library::mapFile(const std::string &path, const std::string &name) {
  handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle)
    return std::nullopt;
  const char *reason = dlerror();
  return Error(name + ": cannot be mapped: " + io::escaped(reason ? reason : "unknown reason"));
}

/// A memory file from which code may be mapped. Newer systems want to be told so; older ones do not know the flag.
static int createMemoryFile() {
  constexpr unsigned executable = 0x10; // MFD_EXEC of the Linux kernel's include/uapi/linux/memfd.h.
  constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int descriptor = memfd_create("chimera-model", flags | executable);
  return descriptor < 0 && errno == EINVAL ? memfd_create("chimera-model", flags) : descriptor;
}

Failure Library::mapMemoryFile(ByteSpan elf, const std::string &name) {
  descriptor = createMemoryFile();
  if (descriptor < 0)
    return systemError(name + ": creating a memory file", errno);
  if (!writeAll(descriptor, elf))
    return systemError(name + ": writing a memory file", errno);
  if (fcntl(descriptor, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return systemError(name + ": sealing a memory file", errno);
  return mapFile("/proc/self/fd/" + std::to_string(descriptor), name);
}

Result<std::unique_ptr<Library>> Library::mapFromFolder(ByteSpan elf, const std::string &folder,
                                                        const std::string &name) {
  std::unique_ptr<Library> library(new Library);
  std::string path = folder + "/chimera-model-XXXXXX"; // mkostemp makes it for this user alone.
  int file = mkostemp(path.data(), O_CLOEXEC);
  if (file < 0)
    return systemError(name + ": creating a file in " + folder, errno);
  bool written = writeAll(file, elf);
  int code = errno;
  close(file);
  Failure failure = written ? library->mapFile(path, name) : systemError(name + ": writing " + path, code);
  unlink(path.c_str());
  if (failure)
    return *failure;
  return library;
}

Result<std::unique_ptr<Library>> Library::map(ByteSpan elf, const std::string &name) {
  std::unique_ptr<Library> library(new Library);
  Failure failure = library->mapMemoryFile(elf, name);
  if (!failure)
    return library;
  const char *chosen = std::getenv("TMPDIR");
  for (const char *folder : {chosen ? chosen : "/tmp", "/dev/shm", "/tmp", "/var/tmp"})
    if (Result<std::unique_ptr<Library>> other = mapFromFolder(elf, folder, name))
      return other;
  return *failure;
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
