// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/generation/NgramProposer.h"

#include <algorithm>
#include <utility>

namespace chimera::run {

/// The bucket of the gram that ends at `end`.
size_t NgramProposer::bucketAt(size_t end) const {
  uint64_t hash = 0;
  for (size_t i = end + 1 - least; i <= end; ++i)
    hash = (hash ^ uint64_t(uint32_t(text[i]))) * 0x9E3779B97F4A7C15u;
  return size_t(hash >> 32) & (latest.size() - 1);
}

/// Twice as many buckets.
void NgramProposer::grow() {
  latest.assign(std::max<size_t>(64, latest.size() * 2), -1);
  for (size_t end = least - 1; end < before.size(); ++end)
    before[end] = std::exchange(latest[bucketAt(end)], int32_t(end));
}

void NgramProposer::append(const int32_t *tokens, size_t count) {
  text.insert(text.end(), tokens, tokens + count);
  while (latest.size() < text.size())
    grow();
  for (size_t end = before.size(); end < text.size(); ++end)
    before.push_back(end + 1 < least ? -1 : std::exchange(latest[bucketAt(end)], int32_t(end)));
}

/// How many tokens up to `place` agree with those at the end of the text, up to `enough`.
size_t NgramProposer::agreement(size_t place, size_t enough) const {
  size_t last = text.size() - 1, length = 0;
  while (length < enough && length <= place && text[place - length] == text[last - length])
    ++length;
  return length;
}

void NgramProposer::propose(size_t most, std::vector<int32_t> &proposal) const {
  constexpr int places = 16; // So that a text of one token again and again takes no time.
  proposal.clear();
  if (text.size() <= least || most == 0)
    return;
  size_t enough = std::max(most, least), longest = least - 1, best = 0;
  int32_t place = before.back();
  for (int tried = 0; place >= 0 && tried < places && longest < enough; ++tried, place = before[size_t(place)])
    if (size_t length = agreement(size_t(place), enough); length > longest) {
      longest = length;
      best = size_t(place);
    }
  if (longest < least)
    return;
  for (size_t i = best + 1; proposal.size() < std::min(most, longest); ++i)
    proposal.push_back(i < text.size() ? text[i] : proposal[i - text.size()]); // Past the end it goes on as proposed.
}

} // namespace chimera::run
