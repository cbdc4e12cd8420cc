// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokens beside a model's vocabulary that are found in the text before it is cut: control tokens and others.
#ifndef CHIMERA_RUNTIME_TEXT_ADDEDTOKENS_H
#define CHIMERA_RUNTIME_TEXT_ADDEDTOKENS_H

#include "runtime/io/Result.h"
#include "runtime/text/Bpe.h"
#include "runtime/text/FlatMap.h"
#include "runtime/text/Normalizer.h"

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace chimera::text {

/// One entry of added_tokens.
struct AddedToken {
  std::string content;
  int32_t id;
  bool singleWord;   ///< Not next to a word character.
  bool strip[2];     ///< Takes the spaces on its left, on its right with it.
  bool isNormalized; ///< Is looked for in the normalized text, in its own normalized form.
  bool isSpecial;
  std::string text; ///< What is looked for, and what decoding gives.
};

/// A part of a text: an added token, or text between.
struct TokenOrText {
  const AddedToken *token; ///< Null for text.
  size_t begin, end;
};

/// Finds the longest of some strings at a place: a trie.
class StringFinder {
public:
  void add(std::string_view text, uint32_t value);
  /// The longest string that begins at `at`: its value and end.
  std::optional<std::pair<uint32_t, size_t>> longest(std::string_view text, size_t at) const;

private:
  struct Node {
    std::optional<uint32_t> value;
  };
  std::vector<Node> nodes{1};
  FlatMap<uint32_t> children; ///< By node and byte.
  std::array<bool, 256> begins{};
};

/// The added tokens of a tokenizer.
class AddedTokens {
public:
  /// Reads the array added_tokens of a tokenizer.json. A token that is in the vocabulary must have its id there,
  /// another one an id that the vocabulary does not use.
  static io::Result<AddedTokens> read(const nlohmann::json &array, const Bpe &bpe, const Normalizer *normalizer);

  /// Cuts `text`, leftmost first and of those the longest, at the tokens that are looked for in the normalized text, or
  /// at the others. Without `special`, tokens that are special stay text.
  std::vector<TokenOrText> find(std::string_view text, bool normalized, bool special) const;

  const AddedToken *byId(int64_t id) const;
  const AddedToken *byContent(const std::string &content) const;
  /// Whether decoding leaves out what has this text when special tokens are not wanted.
  bool isSpecial(std::string_view text) const { return specials.find(text) != specials.end(); }
  int64_t largestId() const { return ids.empty() ? -1 : ids.rbegin()->first; }
  const std::vector<AddedToken> &all() const { return tokens; }

private:
  io::Status add(const nlohmann::json &entry, const std::string &where, const Bpe &bpe, const Normalizer *normalizer);

  std::vector<AddedToken> tokens;
  std::map<int32_t, size_t> ids;
  std::unordered_map<std::string, size_t> contents;
  std::set<std::string, std::less<>> specials;
  StringFinder finders[2]; ///< In the text as it is, in the normalized text.
};

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_ADDEDTOKENS_H
