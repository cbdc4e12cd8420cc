// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/BpeTrainer.h"

#include <tuple>

namespace chimera::text {

bool BpeTrainer::Candidate::operator<(const Candidate &other) const {
  return std::tie(other.count, pair.left, pair.right) > std::tie(count, other.pair.left, other.pair.right);
}

io::Status BpeTrainer::add(const std::vector<uint32_t> &word, uint64_t count) {
  if (word.size() >= size_t(none) - places.size() || counts.size() >= none)
    return io::Error{"the words that differ have more than " + std::to_string(none - 1) + " bytes"};
  auto begin = uint32_t(places.size()), end = begin + uint32_t(word.size());
  for (uint32_t here = begin; here < end; ++here)
    places.push_back({word[here - begin], here > begin ? here - 1 : none, here + 1 < end ? here + 1 : none,
                      uint32_t(counts.size())});
  for (uint32_t here = begin; here + 1 < end; ++here)
    appear(here, count);
  counts.push_back(count);
  total += word.size() * count;
  return {};
}

BpeTrainer::Occurrences &BpeTrainer::occurrences(Pair pair) {
  uint32_t &index = indexes[uint64_t(pair.left) << 32 | pair.right];
  if (!index) {
    pairs.push_back({pair, 0, {}});
    index = uint32_t(pairs.size());
  }
  return pairs[index - 1];
}

/// The symbol at `place` and the next one are neighbours now.
void BpeTrainer::appear(uint32_t place, uint64_t count) {
  Occurrences &found = occurrences({places[place].symbol, places[places[place].next].symbol});
  found.count += count;
  found.places.push_back(place);
}

/// They are not any longer.
void BpeTrainer::vanish(uint32_t place, uint64_t count) {
  occurrences({places[place].symbol, places[places[place].next].symbol}).count -= count;
}

std::optional<BpeTrainer::Pair> BpeTrainer::best() {
  for (; proposed < pairs.size(); ++proposed)
    if (pairs[proposed].count >= leastCount)
      queue.push({pairs[proposed].count, pairs[proposed].pair, uint32_t(proposed)});
  while (!queue.empty()) {
    Candidate first = queue.top();
    uint64_t count = pairs[first.index].count;
    if (first.count == count)
      return first.pair;
    queue.pop(); // some of its places have gone to other pairs since
    if (count >= leastCount)
      queue.push({count, first.pair, first.index});
  }
  return std::nullopt;
}

/// The pairs that appear have the new symbol, so none of them was there before, and later joins only take from their
/// counts. Of a pair of equal symbols the places are in order, so that a run is joined from its left.
void BpeTrainer::join() {
  uint32_t index = queue.top().index;
  queue.pop();
  Pair pair = pairs[index].pair;
  std::vector<uint32_t> where = std::move(pairs[index].places);
  for (uint32_t left : where) {
    Place &joined = places[left];
    if (joined.symbol != pair.left || joined.next == none || places[joined.next].symbol != pair.right)
      continue;
    uint64_t count = counts[joined.word];
    uint32_t right = joined.next, before = joined.previous, behind = places[right].next;
    if (before != none)
      vanish(before, count);
    if (behind != none)
      vanish(right, count);
    joined.symbol = symbols;
    joined.next = behind;
    places[right].symbol = none;
    if (before != none)
      appear(before, count);
    if (behind != none) {
      places[behind].previous = left;
      appear(left, count);
    }
    total -= count;
  }
  ++symbols;
}

} // namespace chimera::text
