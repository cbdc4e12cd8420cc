// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Learns the merges of byte pair encoding (Sennrich et al. 2016, arXiv:1508.07909) from the words of a text: again and
// again the pair of neighbours that occurs most often, anywhere in the words, becomes a symbol of its own.
#ifndef CHIMERA_RUNTIME_TEXT_BPETRAINER_H
#define CHIMERA_RUNTIME_TEXT_BPETRAINER_H

#include "runtime/io/Result.h"
#include "runtime/text/FlatMap.h"

#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

namespace chimera::text {

/// Symbols are numbers: those of the alphabet, then one for each pair that was joined, in that order.
class BpeTrainer {
public:
  struct Pair {
    uint32_t left, right;
  };

  /// The alphabet is 0 .. alphabet - 1. A pair that occurs less than `leastCount` (from 1 on) times becomes no symbol.
  BpeTrainer(uint32_t alphabet, uint64_t leastCount) : symbols(alphabet), leastCount(leastCount) {}

  /// Adds a word that occurs `count` times; all words come before the first `best`. The error: there are too many.
  io::Status add(const std::vector<uint32_t> &word, uint64_t count);

  /// The pair that occurs most often, or nothing. Of equals the one with the smaller left symbol comes first, of those
  /// the one with the smaller right symbol, as in the reference library (docs/tokenizers.md).
  std::optional<Pair> best();
  /// Joins the best pair, wherever it is, to a new symbol. All joins together take time that grows as n log n with the
  /// symbols of the words.
  void join();
  /// Leaves the best pair out: it will never be joined.
  void drop() { queue.pop(); }

  /// How many symbols the whole text has: each word's, as often as it occurs.
  uint64_t length() const { return total; }

private:
  static constexpr uint32_t none = ~uint32_t(0);

  /// A symbol in a word. A merge keeps the left one, and takes the right one out.
  struct Place {
    uint32_t symbol, previous, next, word;
  };
  /// A pair of symbols: how often it occurs, and the places of its left symbol. A place that has another pair by now
  /// stays in the list.
  struct Occurrences {
    Pair pair;
    uint64_t count = 0;
    std::vector<uint32_t> places;
  };
  struct Candidate {
    uint64_t count;
    Pair pair;
    uint32_t index;
    bool operator<(const Candidate &other) const; ///< Comes after it.
  };

  Occurrences &occurrences(Pair pair);
  void appear(uint32_t place, uint64_t count);
  void vanish(uint32_t place, uint64_t count);

  uint32_t symbols; ///< How many there are by now.
  uint64_t leastCount;
  std::vector<Place> places;
  std::vector<uint64_t> counts; ///< Of each word.
  std::vector<Occurrences> pairs;
  FlatMap<uint32_t> indexes; ///< Of a pair in `pairs`, plus one.
  std::priority_queue<Candidate> queue;
  size_t proposed = 0; ///< How many of `pairs` have been put into the queue.
  uint64_t total = 0;
};

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_BPETRAINER_H
