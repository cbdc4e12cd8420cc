// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sequences that are kept after the beginnings of prompts, in memory that nothing else needs.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_PREFIXCACHE_H
#define CHIMERA_TOOLS_CHIMERASERVE_PREFIXCACHE_H

#include "tools/chimera-serve/MemoryPlan.h"
#include "tools/chimera-serve/PrefixTree.h"
#include "tools/chimera-serve/ServedModel.h"

#include <cstdint>
#include <vector>

namespace chimera::serve {

/// How much the kept beginnings were of use.
struct PrefixCounts {
  int64_t hits = 0, tokens = 0, kept = 0; ///< Prompts that began from one; tokens not fed; how many are kept now.
};

/// The scheduler's. A prompt that begins as an earlier one did goes on from a fork of what was kept after it; a fork is
/// a copy, so that no bit of its text changes.
class PrefixCache {
public:
  /// Keeps at most `most` sequences, which the session must have places for beside those that run. `plan` says what
  /// they need; it must live longer.
  PrefixCache(ServedModel &model, const MemoryPlan &plan, size_t most)
      : model(model), plan(plan), most(most), tree(plan.tokensOfPage()) {}
  ~PrefixCache() { shrink(-1); }
  PrefixCache(const PrefixCache &) = delete;
  PrefixCache &operator=(const PrefixCache &) = delete;

  /// How a prompt begins.
  struct Start {
    chimera_sequence sequence = 0; ///< That was fed its first `tokens`; 0: there is none.
    int64_t tokens = 0;
    std::vector<int64_t> keepAt; ///< After so many tokens of it `keep` is to be called, ascending.
  };
  io::Result<Start> begin(const std::vector<int32_t> &prompt);
  /// Keeps a copy of a sequence that was fed the first `count` tokens of a prompt, unless there is no room for it.
  void keep(const std::vector<int32_t> &prompt, int64_t count, chimera_sequence source);

  /// Drops what was not used for the longest time, until no more than so many bytes are held. No more are held from
  /// now on.
  void shrink(int64_t bytes);
  /// The most that what is kept may hold.
  const Need &held() const { return total; }
  PrefixCounts counts() const { return {hits, tokens, int64_t(tree.size())}; }

private:
  void dropOldest();

  ServedModel &model;
  const MemoryPlan &plan;
  const size_t most;
  PrefixTree tree;
  Need total;
  int64_t room = 0, hits = 0, tokens = 0;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_PREFIXCACHE_H
