// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Trains a tokenizer of bytes on texts: the words that a regular expression cuts them into, and merges of their bytes.
#ifndef CHIMERA_RUNTIME_TEXT_TOKENIZERTRAINER_H
#define CHIMERA_RUNTIME_TEXT_TOKENIZERTRAINER_H

#include "runtime/io/Result.h"
#include "runtime/text/AddedTokens.h"
#include "runtime/text/PreTokenizer.h"
#include "runtime/text/StringTable.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chimera::text {

/// Whose regular expression cuts a text into words.
enum class WordStyle { Gpt2, Llama3 };

/// What is wanted of a tokenizer.
struct TrainingPlan {
  int64_t vocabSize = 0;   ///< Special tokens, 256 bytes and merges.
  uint64_t leastCount = 2; ///< How often a pair must occur to become a token.
  WordStyle words = WordStyle::Llama3;
  std::vector<std::string> special;      ///< The first ids, in this order. Those below are among them.
  std::optional<std::string> begin, end; ///< The token that is put before each text; the token that ends a text.
  std::optional<std::string> chatTemplate;
};

/// A trained tokenizer, as files.
struct TrainedTokenizer {
  std::string tokenizer; ///< tokenizer.json
  std::string config;    ///< tokenizer_config.json
  int64_t vocabSize;     ///< Less than what was asked for where the texts have no more pairs.
  uint64_t textBytes;    ///< How long the texts are, without the special tokens in them.
  uint64_t textTokens;   ///< How many tokens that is.
};

/// Collects words, then learns.
class TokenizerTrainer {
public:
  /// The error names what of the plan cannot be.
  static io::Result<TokenizerTrainer> make(TrainingPlan plan);

  /// Counts the words of a whole text. Special tokens that are written in it are left out. The error: it is not UTF-8,
  /// or has a word that takes too long to find.
  io::Status add(std::string_view text);

  /// Learns and writes. The same texts give the same files, in whatever order they came.
  io::Result<TrainedTokenizer> train() const;

private:
  TokenizerTrainer() = default;
  io::Status addSection(std::string_view section);
  io::Status addBlock(std::string_view block);

  TrainingPlan plan;
  StringFinder finder; ///< Of special tokens.
  std::unique_ptr<PreTokenizer> words;
  StringTable found;            ///< The words, in byte characters.
  std::vector<uint64_t> counts; ///< Of each.
};

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_TOKENIZERTRAINER_H
