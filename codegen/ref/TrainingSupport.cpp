// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/TrainingSupport.h"
#include "codegen/ref/Math.h"
#include "codegen/ref/TrainingKernels.h"

namespace chimera::ref {

Val dot(KernelBuilder &k, const Buffer &a, const Buffer &b, int64_t size, Scalar type) {
  return k.fold(0, size, k.real(0, type), [&](Val d, Val sum) { return fma(a.load(d), b.load(d), sum); });
}

llvm::SmallVector<Val> dots(KernelBuilder &k, const Buffer &a, llvm::ArrayRef<Buffer> others, int64_t size,
                            Scalar type) {
  llvm::SmallVector<Val> zeros(others.size(), k.real(0, type));
  return k.foldMany(k.integer(0), k.integer(size), zeros, [&](Val d, llvm::ArrayRef<Val> sums) {
    llvm::SmallVector<Val> next;
    Val factor = a.load(d);
    for (auto [other, sum] : llvm::zip_equal(others, sums))
      next.push_back(fma(factor, other.load(d), sum));
    return next;
  });
}

/// Numbers that foldGroups takes at once.
static constexpr int64_t groupSize = 8;

llvm::SmallVector<Val> foldGroups(KernelBuilder &k, Val low, Val high, llvm::ArrayRef<Val> initial,
                                  llvm::function_ref<llvm::SmallVector<Val>(Val, int64_t, llvm::ArrayRef<Val>)> body) {
  Val whole = low + (high - low) / groupSize * groupSize;
  auto groups = [&](Val first, llvm::ArrayRef<Val> carried) { return body(first, groupSize, carried); };
  auto rest = [&](Val first, llvm::ArrayRef<Val> carried) { return body(first, 1, carried); };
  return k.foldMany(whole, high, k.foldMany(low, whole, initial, groups, groupSize), rest);
}

Val siluSlope(Val x) {
  Val s = sigmoid(x);
  return s + x * s * (x.builder->real(1, x.value.getType()) - s);
}

Val activationSlope(Activation activation, Val x) {
  auto real = [&](double value) { return x.builder->real(value, x.value.getType()); };
  switch (activation) {
  case Activation::None:
    break;
  case Activation::Silu:
    return siluSlope(x);
  case Activation::GeluTanh: {
    auto [argument, slope] = geluArgument(x);
    Val s = sigmoid(argument);
    return s + x * s * (real(1) - s) * slope;
  }
  case Activation::Relu2:
    return select(x < real(0), real(0), x + x);
  }
  llvm_unreachable("there is something to apply");
}

Val rowId(const Rows &rows, Val row) {
  return rows.index.load(rows.start.load(0) + row);
}

void forEachRowOf(KernelBuilder &k, const Buffer &start, Val sequence, llvm::function_ref<void(Val)> body) {
  Val first = start.load(0);
  k.forEach(start.load(sequence) - first, start.load(sequence + 1) - first, body);
}

Val countBelow(KernelBuilder &k, const Rows &rows, Val sequence, Val id) {
  Val first = rows.start.load(sequence), last = rows.start.load(sequence + 1);
  // The answer lies in low .. high; 32 halvings of an i32 leave one place.
  auto bounds = k.foldMany(k.integer(0), k.integer(32), {first, last}, [&](Val, llvm::ArrayRef<Val> c) {
    Val low = c[0], high = c[1], middle = (low + high) / 2;
    Val open = low < high;
    Val below = k.choose(open, [&] { return rows.index.load(middle) < id; }, [&] { return open; });
    return llvm::SmallVector<Val>{select(below, middle + 1, low), select(below, high, select(open, middle, high))};
  });
  return bounds[0] - first;
}

void fillZero(KernelBuilder &k, const Buffer &buffer, Val begin, Val end, Scalar type) {
  Val zero = k.real(0, type);
  k.forEach(begin, end, [&](Val i) { buffer.store(i, zero); });
}

/// Adds neighbouring leaves of `count` (a power of two), again and again; the sum of all ends in the first.
static void addPairwise(KernelBuilder &k, const Buffer &sums, int64_t stride, Val count, Val width) {
  for (int64_t most = ir::maxLeaves; most > 1; most /= 2) {
    Val pairs = count / 2;
    k.forEach(k.integer(0), pairs, [&](Val i) {
      Buffer to = sums.at(i * stride), left = sums.at(i * 2 * stride), right = sums.at((i * 2 + 1) * stride);
      k.forEach(k.integer(0), width, [&](Val c) { to.store(c, left.load(c) + right.load(c)); });
    });
    count = pairs;
  }
}

Buffer sumOverLeaves(KernelBuilder &k, const Buffer &leaves, Scalar type, int64_t most, Val width,
                     llvm::function_ref<void(Val, const Buffer &)> addSequence) {
  Buffer sums = k.scratch(elemOf(type), ir::maxLeaves * most);
  Val count = leaves.load(0);
  k.forEach(k.integer(0), count, [&](Val leaf) {
    Buffer ofLeaf = sums.at(leaf * most);
    fillZero(k, ofLeaf, k.integer(0), width, type);
    k.forEach(leaves.load(leaf + 1), leaves.load(leaf + 2), [&](Val sequence) { addSequence(sequence, ofLeaf); });
  });
  addPairwise(k, sums, most, count, width);
  return sums;
}

} // namespace chimera::ref
