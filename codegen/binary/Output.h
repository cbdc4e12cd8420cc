// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that are there whole or not at all.
#ifndef CHIMERA_CODEGEN_BINARY_OUTPUT_H
#define CHIMERA_CODEGEN_BINARY_OUTPUT_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace chimera::binary {

/// Writes `bytes` to `path`: into a temporary file beside it, which then takes its place, so that no reader sees half a
/// file and a failure leaves what was there. "-" is standard output; something that is not a regular file (a device, a
/// pipe) is written directly. An error is one line that names the path.
llvm::Error writeOutput(llvm::StringRef path, llvm::StringRef bytes);

} // namespace chimera::binary

#endif // CHIMERA_CODEGEN_BINARY_OUTPUT_H
