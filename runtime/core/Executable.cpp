// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Executable.h"

#include <array>
#include <sys/auxv.h>
#include <unistd.h>

namespace chimera::runtime {

std::string executableFolder() {
  std::array<char, 4096> path;
  ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  std::string name;
  if (length > 0 && size_t(length) < path.size())
    name.assign(path.data(), size_t(length));
  else if (unsigned long started = getauxval(AT_EXECFN)) // A C string that the system keeps for the process.
    name = reinterpret_cast<const char *>(started);
  return name.substr(0, name.rfind('/') + 1);
}

} // namespace chimera::runtime
