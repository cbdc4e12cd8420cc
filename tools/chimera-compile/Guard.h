// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A guard for MLIR's parser, which recurses as deep as its input nests and makes room for any result number it reads.
#ifndef CHIMERA_TOOLS_CHIMERACOMPILE_GUARD_H
#define CHIMERA_TOOLS_CHIMERACOMPILE_GUARD_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace chimera::compile {

/// An error, with the place, if brackets in the IR `text` nest deeper than any model's, if prefix operators pile up, or
/// if the number of a result (%name#number) is beyond any op's.
llvm::Error checkText(llvm::StringRef text, llvm::StringRef fileName);

} // namespace chimera::compile

#endif // CHIMERA_TOOLS_CHIMERACOMPILE_GUARD_H
