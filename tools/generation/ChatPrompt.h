// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the messages of a conversation to the tokens that a model answers.
#ifndef CHIMERA_TOOLS_GENERATION_CHATPROMPT_H
#define CHIMERA_TOOLS_GENERATION_CHATPROMPT_H

#include "tools/generation/ChatTemplate.h"
#include "tools/generation/Tokenizer.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace chimera::run {

/// Tells the template the model's bos_token and eos_token, where the files do not name them.
void nameTokens(const chimera_model *model, const chimera_model_info &info, const Tokenizer &tokenizer,
                ChatTemplate &chatTemplate);

/// The tokens of `messages`, an array of {role, content}, and of the beginning of an answer; at least one. What is
/// written in a message is text, unless `parseSpecial`.
io::Result<std::vector<int32_t>> encodeMessages(const nlohmann::json &messages, ChatTemplate &chatTemplate,
                                                const Tokenizer &tokenizer, bool parseSpecial);

/// The token that ends an answer as the model's end tokens do, if there is one.
std::optional<int32_t> endOfAnswer(const ChatTemplate &chatTemplate, const Tokenizer &tokenizer);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_GENERATION_CHATPROMPT_H
