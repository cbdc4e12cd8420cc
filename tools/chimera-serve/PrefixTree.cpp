// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/PrefixTree.h"

#include <algorithm>
#include <utility>

namespace chimera::serve {

/// From the leaves on: a long prompt is a deep tree.
PrefixTree::~PrefixTree() {
  while (dropOldest()) {
  }
}

PrefixTree::Match PrefixTree::find(const int32_t *tokens, int64_t count) {
  Match match;
  Node *node = &root, *kept = nullptr;
  for (int64_t most = longestBeginning(count); match.common < most; match.common += block) {
    auto child = node->children.find(blockAt(tokens, match.common));
    if (child == node->children.end())
      break;
    node = child->second.get();
    if (node->sequence)
      kept = node;
  }
  if (kept) {
    uses.splice(uses.begin(), uses, kept->use);
    match.sequence = kept->sequence;
    match.kept = kept->tokens;
  }
  return match;
}

bool PrefixTree::keep(const int32_t *tokens, int64_t count, chimera_sequence sequence) {
  Node *node = &root;
  for (int64_t at = 0; at < count; at += block) {
    std::unique_ptr<Node> &child = node->children[blockAt(tokens, at)];
    if (!child) {
      child = std::make_unique<Node>();
      child->parent = node;
      child->tokens = at + block;
    }
    node = child.get();
  }
  if (node == &root || node->sequence)
    return false;
  node->sequence = sequence;
  uses.push_front(node);
  node->use = uses.begin();
  return true;
}

std::optional<PrefixTree::Dropped> PrefixTree::dropOldest() {
  if (uses.empty())
    return std::nullopt;
  Node *node = uses.back();
  uses.pop_back();
  Dropped dropped{std::exchange(node->sequence, 0), node->tokens};
  prune(node);
  return dropped;
}

/// Takes out a node that keeps nothing and leads to nothing, and those above it of which that is then true.
void PrefixTree::prune(Node *node) {
  while (node != &root && !node->sequence && node->children.empty()) {
    Node *parent = node->parent;
    auto self = std::find_if(parent->children.begin(), parent->children.end(),
                             [&](const auto &child) { return child.second.get() == node; });
    parent->children.erase(self);
    node = parent;
  }
}

} // namespace chimera::serve
