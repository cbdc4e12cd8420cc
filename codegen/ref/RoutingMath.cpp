// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/RoutingMath.h"
#include "codegen/ref/Math.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <algorithm>

using namespace mlir;

namespace chimera::ref {

/// The places in `modes` in the order in which a refused token tries them: full, swa, ssm, identity.
static SmallVector<int64_t> refusalChain(ArrayRef<int> modes) {
  SmallVector<int64_t> chain;
  for (int mode : {2, 1, 0, 3}) {
    const int *place = std::find(modes.begin(), modes.end(), mode);
    if (place != modes.end())
      chain.push_back(place - modes.begin());
  }
  return chain;
}

Val argmax(KernelBuilder &k, ArrayRef<Val> scores) {
  Val best = scores[0], place = k.integer(0);
  for (size_t i = 1; i < scores.size(); ++i) {
    Val better = scores[i] > best;
    best = select(better, scores[i], best);
    place = select(better, k.integer(i), place);
  }
  return place;
}

Val pick(ArrayRef<Val> values, Val place) {
  Val picked = values[0];
  for (size_t i = 1; i < values.size(); ++i)
    picked = select(place == i, values[i], picked);
  return picked;
}

SmallVector<Val> logSoftmax(KernelBuilder &k, ArrayRef<Val> logits) {
  SmallVector<Val> shifted = llvm::map_to_vector(logits, [&](Val q) { return toFloat(q, k.f64Type()); });
  Val greatest = shifted[0];
  for (Val q : llvm::drop_begin(shifted))
    greatest = select(q > greatest, q, greatest);
  Val sum = k.real(0, k.f64Type());
  for (Val &q : shifted) {
    q = q - greatest;
    sum = sum + exp(q);
  }
  Val logSum = log(sum);
  for (Val &q : shifted)
    q = q - logSum;
  return shifted;
}

/// Whether a mode with `admitted` tokens may take the one at this position.
static Val mayEnter(KernelBuilder &k, const Capacity &capacity, Val admitted, Val position) {
  Val open = {&k, k.ops.create<arith::ConstantIntOp>(k.loc, 1, 1)};
  if (capacity.rate) {
    // A positive rate below 1e-300 allows one token at every position, and so does 1e-300, which is never flushed to 0.
    double rate = *capacity.rate > 0 ? std::max(*capacity.rate, 1e-300) : *capacity.rate;
    Val limit = ceil(k.real(rate, k.f64Type()) * intToFloat(position + 1, k.f64Type()));
    open = open & (intToFloat(admitted, k.f64Type()) < limit);
  }
  if (capacity.maxTokens)
    open = open & (admitted < *capacity.maxTokens);
  return open;
}

Val admit(KernelBuilder &k, ArrayRef<int> modes, ArrayRef<Capacity> capacity, Val wanted, ArrayRef<Val> counts,
          Val position) {
  SmallVector<int64_t> chain = refusalChain(modes);
  // From the back of the chain: where a token ends that arrives at each mode. The last one takes all.
  Val arrival = k.integer(chain.back());
  Val admitted = arrival;
  for (int64_t place : llvm::drop_begin(llvm::reverse(chain))) {
    if (!capacity.empty()) {
      Val open = mayEnter(k, capacity[place], counts[place], position);
      arrival = select(open, k.integer(place), arrival);
    } else {
      arrival = k.integer(place);
    }
    admitted = select(wanted == place, arrival, admitted);
  }
  return admitted;
}

std::string nameOfCapacity(ArrayRef<Capacity> capacity) {
  std::string name;
  for (const Capacity &c : capacity)
    name += (c.rate ? "r" + nameOf(*c.rate) : "r") + (c.maxTokens ? "n" + std::to_string(*c.maxTokens) : "n");
  return name;
}

} // namespace chimera::ref
