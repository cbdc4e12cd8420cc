// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingRowwiseLoops.h"
#include "codegen/cpu/Math.h"

using namespace mlir;

namespace chimera::cpu {

void forEachElement(KernelBuilder &k, const Buffer &start, int64_t width, int64_t lanes,
                    function_ref<void(Val, int64_t)> body) {
  Val last = min(k.end(), k.rowCount(start));
  // Whole vectors may run across rows.
  if (width % lanes == 0)
    return k.forEach(k.begin() * width, last * width, [&](Val i) { body(i, lanes); }, lanes);
  k.forEach(k.begin(), last, [&](Val row) {
    Val first = row * width;
    forEachVector(k, width, lanes, [&](Val i, int64_t part) { body(first + i, part); });
  });
}

SmallVector<Val> sumsInLanes(KernelBuilder &k, int64_t count, size_t sums,
                             function_ref<SmallVector<Val>(LoadLanes, ArrayRef<Val>)> combine) {
  int64_t whole = count / sumLanes * sumLanes;
  SmallVector<Val> totals(sums, splat(k.real(0, k.f32Type()), sumLanes));
  if (whole > 0)
    totals = k.foldMany(
        k.integer(0), k.integer(whole), totals,
        [&](Val i, ArrayRef<Val> carried) {
          return combine([&](const Buffer &x) { return x.loadVector(i, sumLanes); }, carried);
        },
        sumLanes);
  if (whole < count) {
    Val inside = lanesBelow(k.integer(count - whole), sumLanes);
    SmallVector<Val> next =
        combine([&](const Buffer &x) { return x.loadVector(k.integer(whole), sumLanes, inside); }, totals);
    for (size_t s = 0; s < sums; ++s)
      totals[s] = select(inside, next[s], totals[s]);
  }
  return llvm::map_to_vector(totals, [](Val lanes) { return reduceSum(lanes); });
}

SiluParts siluParts(Val x) {
  Type type = x.value.getType();
  KernelBuilder &k = *x.builder;
  Val negative = x < k.real(0, type);
  Val u = exp(select(negative, x, -x)), r = k.real(1, type) / (k.real(1, type) + u), ur = u * r;
  Val s = select(negative, ur, r), value = x * s;
  return {value, s + value * select(negative, r, ur)};
}

} // namespace chimera::cpu
