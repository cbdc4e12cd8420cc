// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/generation/ChatPrompt.h"

#include "tools/generation/MarkedMessages.h"

#include <utility>

namespace chimera::run {

using io::Error;
using io::Result;

void nameTokens(const chimera_model *model, const chimera_model_info &info, const Tokenizer &tokenizer,
                ChatTemplate &chatTemplate) {
  for (auto [name, id] :
       {std::pair("bos_token", info.bos_token_id), std::pair("eos_token", chimera_model_eos_token(model, 0))})
    if (std::optional<std::string> token = tokenizer.tokenOf(id))
      chatTemplate.setDefault(name, *token);
}

Result<std::vector<int32_t>> encodeMessages(const nlohmann::json &messages, ChatTemplate &chatTemplate,
                                            const Tokenizer &tokenizer, bool parseSpecial) {
  MarkedMessages marked{messages, {}};
  if (!parseSpecial) {
    Result<MarkedMessages> made = markSpecialTokens(messages, chatTemplate.source(), tokenizer);
    if (!made)
      return made.error();
    marked = std::move(*made);
  }
  Result<std::string> rendered = chatTemplate.render(marked.messages);
  if (!rendered)
    return rendered.error();
  Result<std::vector<int32_t>> ids = tokenizer.encodeRendered(*rendered, marked.mark);
  if (ids && ids->empty())
    return Error{"the chat template gives no text, so there is nothing to answer"};
  return ids;
}

std::optional<int32_t> endOfAnswer(const ChatTemplate &chatTemplate, const Tokenizer &tokenizer) {
  std::optional<std::string> end = chatTemplate.token("eos_token");
  return end ? tokenizer.idOf(*end) : std::nullopt;
}

} // namespace chimera::run
