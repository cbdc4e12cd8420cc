// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keeping special tokens that are written in messages text.
#ifndef CHIMERA_TOOLS_GENERATION_MARKEDMESSAGES_H
#define CHIMERA_TOOLS_GENERATION_MARKEDMESSAGES_H

#include "tools/generation/Tokenizer.h"

#include <nlohmann/json.hpp>
#include <string>

namespace chimera::run {

/// Messages in which a mark stands in each special token that somebody wrote: after its first character. A template
/// renders them as it renders others, and so only what it writes itself is a special token (text::EncodeOptions::mark).
struct MarkedMessages {
  nlohmann::json messages;
  std::string mark; ///< A character for private use that occurs nowhere else; empty: none was needed.
};

/// Marks the strings of `messages`. `templateText` does not contain the mark either. The error: a special token cannot
/// be marked (it has one character, or is recognized in other spellings too), or a string cannot be encoded.
io::Result<MarkedMessages> markSpecialTokens(nlohmann::json messages, const std::string &templateText,
                                             const Tokenizer &tokenizer);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_GENERATION_MARKEDMESSAGES_H
