// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_CORE_EXECUTABLE_H
#define CHIMERA_RUNTIME_CORE_EXECUTABLE_H

#include <string>

namespace chimera::runtime {

/// The folder of the running program, with a slash; without /proc, that of the path by which it was started, which then
/// must not be relative to a folder that the process has left. Empty when the system does not say.
std::string executableFolder();

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_EXECUTABLE_H
