// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingLeaves.h"

namespace chimera::cpu {

void sumByLeaves(KernelBuilder &k, Val count, const Buffer &sums, int64_t size, int64_t lanes,
                 llvm::function_ref<void(Val, const Buffer &)> addLeaf) {
  Val zeros = k.real(0, k.vectorType(k.f32Type(), lanes));
  k.forEach(k.integer(0), count, [&](Val leaf) {
    // As in a binary counter: the sums that are open are the ones of `leaf`.
    Val open = leaf % 2;
    for (int64_t bit = 2; bit < 1 << (leafLevels - 1); bit *= 2)
      open = open + leaf / bit % 2;
    Buffer ofLeaf = sums.at(open * size);
    k.forEach(k.integer(0), k.integer(size), [&](Val i) { ofLeaf.storeVector(i, zeros); }, lanes);
    addLeaf(leaf, ofLeaf);
    for (int64_t level = 0; level < leafLevels - 1; ++level) {
      int64_t unit = int64_t(2) << level;
      k.when(leaf % unit == unit - 1, [&] {
        Buffer left = sums.at((open - (level + 1)) * size), right = sums.at((open - level) * size);
        k.forEach(
            k.integer(0), k.integer(size),
            [&](Val i) { left.storeVector(i, left.loadVector(i, lanes) + right.loadVector(i, lanes)); }, lanes);
      });
    }
  });
}

void sumByLeaves(KernelBuilder &k, const Buffer &leaves, const Buffer &start, const Buffer &sums, int64_t size,
                 int64_t lanes, llvm::function_ref<void(Val, Val, const Buffer &)> addRows) {
  Val base = start.load(0);
  sumByLeaves(k, leaves.load(0), sums, size, lanes, [&](Val leaf, const Buffer &ofLeaf) {
    addRows(start.load(leaves.load(leaf + 1)) - base, start.load(leaves.load(leaf + 2)) - base, ofLeaf);
  });
}

} // namespace chimera::cpu
