// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Byte pair encoding (Sennrich et al. 2016, arXiv:1508.07909): a piece of text begins as characters; of all neighbours
// for which there is a merge, those of the first merge in the list are joined, from left to right, until none is left.
#ifndef CHIMERA_RUNTIME_TEXT_BPE_H
#define CHIMERA_RUNTIME_TEXT_BPE_H

#include "runtime/io/Result.h"
#include "runtime/text/FlatMap.h"
#include "runtime/text/StringTable.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chimera::text {

/// What a file says of a model, not yet checked.
struct BpeDescription {
  StringTable vocab;
  std::vector<int64_t> ids; ///< Of the tokens in vocab.
  StringList merges;        ///< Two strings for each.
  std::optional<std::string> unknownToken;
  std::string continuingPrefix; ///< Of characters that do not begin a piece.
  std::string endSuffix;        ///< Of the character that ends a piece.
  bool fuseUnknown = false, byteFallback = false, ignoreMerges = false;
};

/// The results of words that were encoded before. For one thread.
class WordCache {
public:
  /// The tokens of `word`, or nothing. They stay until the next insert.
  std::optional<std::pair<const int32_t *, size_t>> find(std::string_view word) const;
  void insert(std::string_view word, const int32_t *tokens, size_t count);

private:
  static constexpr size_t entryLimit = 1 << 17, lengthLimit = 256;

  StringTable words;
  std::vector<int32_t> tokens; ///< Of all words, one behind the other.
  std::vector<size_t> ends;    ///< Where each word's end.
};

/// A vocabulary and its merges. Threads may share it.
class Bpe {
public:
  /// Ids above this are refused: a table of them would be too large.
  static constexpr int64_t idLimit = (1 << 24) - 1;

  /// The error names the token or merge that is wrong.
  static io::Result<Bpe> make(BpeDescription description);

  std::optional<int32_t> idOf(std::string_view token) const;
  /// The token with that id; nothing if there is none.
  std::optional<std::string_view> tokenOf(int64_t id) const;
  int64_t largestId() const { return int64_t(byId.size()) - 1; }

  /// Working memory of encode, which keeps it from call to call.
  struct Scratch {
    struct Symbol {
      int32_t id, previous, next;
      uint32_t length; ///< 0: joined to the one before.
    };
    struct Candidate {
      uint32_t rank, at;
      int32_t id;
    };
    std::vector<Symbol> symbols;
    std::vector<Candidate> queue;
    std::vector<int32_t> result;
    WordCache cache;
  };

  /// Appends the tokens of one piece (well-formed, not empty). Its time grows as n log n with its length.
  void encode(std::string_view piece, Scratch &scratch, std::vector<int32_t> &out) const;

private:
  struct Merge {
    uint32_t rank;
    int32_t id;
  };

  Bpe() = default;
  io::Status addVocab();
  io::Status addMerges();
  void encodeWord(std::string_view word, Scratch &scratch, std::vector<int32_t> &out) const;
  void split(std::string_view word, Scratch &scratch) const;
  void merge(Scratch &scratch) const;
  void propose(Scratch &scratch, int32_t at) const;
  bool bytes(std::string_view character, Scratch &scratch) const;

  BpeDescription model;
  std::vector<int32_t> byId;             ///< Places in model.vocab, or -1.
  FlatMap<Merge> merges;                 ///< By both ids.
  FlatMap<uint8_t> joints;               ///< Pairs of characters that some merge joins.
  FlatMap<int32_t> characters;           ///< Ids of the tokens that are one character.
  std::array<int32_t, 256> byteTokens{}; ///< <0x00> ... <0xFF>, or -1.
  int32_t unknown = -1;
};

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_BPE_H
