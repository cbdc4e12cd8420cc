// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How a model's files are understood, without compiling them.
#ifndef CHIMERA_TOOLS_CHIMERA_COMPILE_EXPLAIN_H
#define CHIMERA_TOOLS_CHIMERA_COMPILE_EXPLAIN_H

#include "llvm/Support/Error.h"

namespace chimera::compile {

struct Options;

/// Prints what became of each key of options.input's config.json, and of the generation_config.json beside it, and
/// which weights and tokenizer lie there. The error is the one that compiling the config would end with.
llvm::Error explain(const Options &options);

} // namespace chimera::compile

#endif // CHIMERA_TOOLS_CHIMERA_COMPILE_EXPLAIN_H
