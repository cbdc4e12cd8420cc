// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How much stack kernels need, so that the runtime can provide it.
#ifndef CHIMERA_CODEGEN_BINARY_STACKUSE_H
#define CHIMERA_CODEGEN_BINARY_STACKUSE_H

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>

namespace llvm {
class DiagnosticInfo;
class Module;
} // namespace llvm

namespace chimera::binary {

/// Bytes of the frame of each function by name, as the backend reports them; one without a frame is not there.
using FrameSizes = llvm::StringMap<int64_t>;

/// Makes the backend report the frame of every function that `module` defines. The code stays the same.
void requestFrameSizes(llvm::Module &module);

/// Keeps what `info` says when it is such a report.
void noteFrameSize(const llvm::DiagnosticInfo &info, FrameSizes &frames);

/// The most bytes that a call of any function of `module` takes, with all it calls. Errors: a call through a pointer, a
/// recursion, a frame whose size the code computes; no kernel has any.
llvm::Expected<int64_t> stackUse(const llvm::Module &module, const FrameSizes &frames);

} // namespace chimera::binary

#endif // CHIMERA_CODEGEN_BINARY_STACKUSE_H
