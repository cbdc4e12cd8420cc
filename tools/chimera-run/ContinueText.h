// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Continuing a text.
#ifndef CHIMERA_TOOLS_CHIMERARUN_CONTINUETEXT_H
#define CHIMERA_TOOLS_CHIMERARUN_CONTINUETEXT_H

#include "tools/chimera-run/Options.h"
#include "tools/generation/Engine.h"

namespace chimera::run {

/// The text of --prompt or --prompt-file, byte by byte as it is there. The error names the file that cannot be read.
io::Result<std::string> readPrompt(const Options &options);

/// Continues `text`, with the tokens that its tokenizer puts around it, as sequence 0 of `generate`. Prints the text on
/// stdout as it is fed, then the new tokens as they come; writes them to --output-tokens at the end.
io::Status continueText(const Options &options, std::string text, Engine &engine);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_CONTINUETEXT_H
