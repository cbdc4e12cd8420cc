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

/// s = sigmoid(x) and 1 - s.
static std::pair<Val, Val> sigmoidParts(Val x) {
  Type type = x.value.getType();
  KernelBuilder &k = *x.builder;
  Val negative = x < k.real(0, type);
  Val u = exp(select(negative, x, -x)), r = k.real(1, type) / (k.real(1, type) + u), ur = u * r;
  return {select(negative, ur, r), select(negative, r, ur)};
}

ActivationParts siluParts(Val x) {
  auto [s, rest] = sigmoidParts(x);
  Val value = x * s;
  return {value, s + value * rest};
}

static ActivationParts geluTanhParts(Val x) {
  auto real = [&](double value) { return x.builder->real(value, x.value.getType()); };
  Val square = x * x;
  auto [s, rest] = sigmoidParts(x * fma(square, real(gelu2Cubic), real(gelu2)));
  // From 32 on s is 0 or 1: the derivative multiplies a zero and must not be infinite.
  Val bounded = select(x < real(-32), real(-32), select(real(32) < x, real(32), x));
  Val value = x * s;
  return {value, s + value * rest * fma(bounded * bounded, real(3 * gelu2Cubic), real(gelu2))};
}

ActivationParts activationParts(Activation activation, Val x) {
  switch (activation) {
  case Activation::None:
    break;
  case Activation::Silu:
    return siluParts(x);
  case Activation::GeluTanh:
    return geluTanhParts(x);
  case Activation::Relu2: {
    Val zero = x.builder->real(0, x.value.getType());
    return {relu2(x), select(x < zero, zero, x + x)};
  }
  }
  llvm_unreachable("there is something to apply");
}

} // namespace chimera::cpu
