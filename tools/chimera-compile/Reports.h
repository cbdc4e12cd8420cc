// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What --emit=memory and --emit=resources print.
#ifndef CHIMERA_TOOLS_CHIMERACOMPILE_REPORTS_H
#define CHIMERA_TOOLS_CHIMERACOMPILE_REPORTS_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace chimera::binary {
struct Manifest;
} // namespace chimera::binary

namespace chimera::compile {

/// The memory plan: parameters; the cache of one sequence by layer and mode; each phase's arena by layer.
std::string memoryReport(const binary::Manifest &manifest);

/// The kernels of `object` (an ELF relocatable object): bytes of code and launches a phase, the largest first.
llvm::Expected<std::string> resourceReport(const binary::Manifest &manifest, llvm::StringRef object);

} // namespace chimera::compile

#endif // CHIMERA_TOOLS_CHIMERACOMPILE_REPORTS_H
