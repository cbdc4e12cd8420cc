// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Beginnings of prompts whose caches are kept, so that a prompt that begins alike is not fed from its start.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_PREFIXTREE_H
#define CHIMERA_TOOLS_CHIMERASERVE_PREFIXTREE_H

#include "runtime/abi/chimera.h"

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace chimera::serve {

/// A radix tree whose digits are blocks of tokens. A node may keep a sequence that was fed all tokens from the root to
/// it. Nodes without one remember where prompts went: what a second prompt has in common with them is worth keeping.
class PrefixTree {
public:
  explicit PrefixTree(int64_t block) : block(block) {}
  ~PrefixTree();
  PrefixTree(const PrefixTree &) = delete;
  PrefixTree &operator=(const PrefixTree &) = delete;

  /// What the tree knows of a prompt. Lengths are in tokens, multiples of the block, and leave at least one token.
  struct Match {
    chimera_sequence sequence = 0; ///< Kept after `kept` tokens; 0: none.
    int64_t kept = 0;
    int64_t common = 0; ///< How far another prompt went the same way.
  };
  /// The longest beginning of tokens[count]; what is kept there counts as used.
  Match find(const int32_t *tokens, int64_t count);
  /// How many tokens a prompt of so many can begin with: whole blocks, and at least one token is left.
  int64_t longestBeginning(int64_t count) const { return count > 0 ? (count - 1) / block * block : 0; }

  /// Keeps a sequence that was fed tokens[count], a multiple of the block; false: one is kept there already.
  bool keep(const int32_t *tokens, int64_t count, chimera_sequence sequence);

  /// A sequence that is not kept any more, and how many tokens it was fed.
  struct Dropped {
    chimera_sequence sequence = 0;
    int64_t tokens = 0;
  };
  /// Takes out what was not used for the longest time; nothing: the tree is empty.
  std::optional<Dropped> dropOldest();
  /// How many sequences are kept.
  size_t size() const { return uses.size(); }

private:
  struct Node {
    Node *parent = nullptr;
    std::map<std::vector<int32_t>, std::unique_ptr<Node>> children;
    chimera_sequence sequence = 0;
    int64_t tokens = 0;                   ///< From the root to here.
    std::list<Node *>::iterator use = {}; ///< In `uses`, if there is a sequence.
  };

  std::vector<int32_t> blockAt(const int32_t *tokens, int64_t at) const { return {tokens + at, tokens + at + block}; }
  void prune(Node *node);

  int64_t block;
  Node root;
  std::list<Node *> uses; ///< Nodes with a sequence, the one used last in front.
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_PREFIXTREE_H
