// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A guard for MLIR's parser, which recurses as deep as its input nests.
#ifndef CHIMERA_TOOLS_CHIMERACOMPILE_NESTING_H
#define CHIMERA_TOOLS_CHIMERACOMPILE_NESTING_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace chimera::compile {

/// An error, with the place, if brackets in the IR `text` nest deeper than any model's, or if prefix operators pile up.
llvm::Error checkNesting(llvm::StringRef text, llvm::StringRef fileName);

} // namespace chimera::compile

#endif // CHIMERA_TOOLS_CHIMERACOMPILE_NESTING_H
