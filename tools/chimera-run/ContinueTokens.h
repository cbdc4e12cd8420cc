// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Continuing sequences of token ids.
#ifndef CHIMERA_TOOLS_CHIMERARUN_CONTINUETOKENS_H
#define CHIMERA_TOOLS_CHIMERARUN_CONTINUETOKENS_H

#include "tools/chimera-run/Options.h"
#include "tools/generation/Engine.h"

namespace chimera::run {

/// Continues each sequence of --tokens, exactly as it is there: nothing is put before it. The new tokens go to
/// --output-tokens, or to stdout, a line for each sequence. Error: a sequence that is empty.
io::Status continueTokens(const Options &options, Engine &engine);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_CONTINUETOKENS_H
