// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writing a tokenizer of bytes as the Hugging Face library does: tokenizer.json and tokenizer_config.json.
#ifndef CHIMERA_RUNTIME_TEXT_TOKENIZERWRITER_H
#define CHIMERA_RUNTIME_TEXT_TOKENIZERWRITER_H

#include "runtime/text/TokenizerTrainer.h"

namespace chimera::text {

/// How texts are cut: the value of pre_tokenizer.
nlohmann::ordered_json preTokenizerOf(WordStyle words);

/// The text of a tokenizer.json. `tokens` by id, the special ones of the plan first; `merges` as pairs of ids.
std::string tokenizerText(const TrainingPlan &plan, const std::vector<std::string> &tokens,
                          const std::vector<std::pair<size_t, size_t>> &merges);

/// The text of the tokenizer_config.json beside it.
std::string tokenizerConfigText(const TrainingPlan &plan);

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_TOKENIZERWRITER_H
