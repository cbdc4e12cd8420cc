// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/PrefixCache.h"

namespace chimera::serve {

using io::Result;

Result<PrefixCache::Start> PrefixCache::begin(const std::vector<int32_t> &prompt) {
  Start start;
  if (most == 0)
    return start;
  auto count = int64_t(prompt.size());
  PrefixTree::Match match = tree.find(prompt.data(), count);
  if (match.sequence) {
    Result<chimera_sequence> copy = model.engine.forkSequence(match.sequence);
    if (!copy)
      return copy.error();
    start.sequence = *copy;
    start.tokens = match.kept;
    ++hits;
    tokens += match.kept;
  }
  // What two prompts have in common is likely to come again, and this prompt itself, with more behind it.
  for (int64_t length : {match.common, tree.longestBeginning(count)})
    if (length > start.tokens && (start.keepAt.empty() || length > start.keepAt.back()))
      start.keepAt.push_back(length);
  return start;
}

void PrefixCache::keep(const std::vector<int32_t> &prompt, int64_t count, chimera_sequence source) {
  Need need = plan.need(1, count);
  if (need.bytes > room)
    return;
  while (tree.size() > 0 && (tree.size() >= most || total.bytes + need.bytes > room))
    dropOldest();
  Result<chimera_sequence> copy = model.engine.forkSequence(source);
  if (!copy)
    return; // It would have saved time; nothing depends on it.
  if (!tree.keep(prompt.data(), count, *copy)) {
    (void)model.engine.dropSequence(*copy);
    return;
  }
  total.add(need, 1);
}

void PrefixCache::dropOldest() {
  std::optional<PrefixTree::Dropped> dropped = tree.dropOldest();
  if (!dropped)
    return;
  (void)model.engine.dropSequence(dropped->sequence);
  total.add(plan.need(1, dropped->tokens), -1);
}

void PrefixCache::shrink(int64_t bytes) {
  room = bytes;
  while (tree.size() > 0 && total.bytes > room)
    dropOldest();
}

} // namespace chimera::serve
