// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingOptimizer.h"
#include "codegen/kernel/KernelBuilder.h"
#include "codegen/ref/TrainingKernels.h"

#include <optional>

using namespace mlir;

namespace chimera::cpu {

using ref::Hyper;
using ref::optimizerBlock;

static Grid blocksOf(int64_t elements) {
  return {/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/(elements + optimizerBlock - 1) / optimizerBlock};
}

/// Neighbours of a parameter: all lanes, or those that are on in the mask of its last vector.
struct Lanes {
  Val index;
  int64_t count;
  std::optional<Val> mask;

  Val load(const Buffer &buffer) const {
    return mask ? buffer.loadVector(index, count, *mask) : buffer.loadVector(index, count);
  }
  void store(const Buffer &buffer, Val value) const {
    mask ? buffer.storeVector(index, value, *mask) : buffer.storeVector(index, value);
  }
};

/// Covers the elements that the blocks [begin, end) have of the args[4] there are.
static void forEachVector(KernelBuilder &k, int64_t lanes, function_ref<void(const Lanes &)> body) {
  Val first = k.begin() * optimizerBlock, last = min(k.end() * optimizerBlock, k.argument(4));
  Val middle = first + (last - first) / lanes * lanes;
  k.forEach(first, middle, [&](Val i) { body({i, lanes, std::nullopt}); }, lanes);
  k.when(middle < last, [&] { body({middle, lanes, lanesBelow(last - middle, lanes)}); });
}

Kernel getOrEmit(ModuleOp kernels, const Isa &, const SumSquaresSpec &spec) {
  constexpr int64_t lanes = 32;
  std::string symbol = symbolOf({"cpu_sum_squares"});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer g = k.buffer(Elem::F32), partial = k.buffer(Elem::F64);
    auto add = [&](Val values, Val sums) {
      Val wide = toFloat(values, k.f64Type());
      return fma(wide, wide, sums);
    };
    k.forEach(k.begin(), k.end(), [&](Val block) {
      Val first = block * optimizerBlock, count = min(k.integer(optimizerBlock), k.argument(4) - first);
      Val whole = count / lanes * lanes;
      Buffer from = g.at(first);
      Val sums = k.foldMany(
          k.integer(0), whole, {splat(k.real(0, k.f64Type()), lanes)},
          [&](Val i, ArrayRef<Val> carried) { return SmallVector<Val>{add(from.loadVector(i, lanes), carried[0])}; },
          lanes)[0];
      // Zeros past the end add nothing: a sum of squares is never -0.
      Val rest = from.loadVector(whole, lanes, lanesBelow(count - whole, lanes));
      partial.store(block, reduceSum(add(rest, sums)));
    });
  });
  return {symbol, blocksOf(spec.elements)};
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const AdamWSpec &spec) {
  std::string symbol = symbolOf({"cpu_adamw", spec.decays ? "decays" : "", spec.router ? "router" : ""});
  int64_t lanes = isa.lanes / 2;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer hypers = k.buffer(Elem::F64), total = k.buffer(Elem::F64), gradient = k.buffer(Elem::F32);
    Buffer weights = k.buffer(Elem::F32), firsts = k.buffer(Elem::F32), seconds = k.buffer(Elem::F32);
    auto hyper = [&](Hyper which) { return hypers.load(static_cast<int64_t>(which)); };
    Val one = k.real(1, k.f64Type()), norm = sqrt(total.load(0)), clip = hyper(Hyper::ClipNorm);
    Val rate = hyper(spec.router ? Hyper::RouterLearningRate : Hyper::LearningRate);
    auto spread = [&](Val scalar) { return splat(scalar, lanes); };
    Val factor = spread(select(norm > clip, clip / norm, one)), rates = spread(rate);
    Val beta1 = spread(hyper(Hyper::Beta1)), beta2 = spread(hyper(Hyper::Beta2));
    Val rest1 = spread(one - hyper(Hyper::Beta1)), rest2 = spread(one - hyper(Hyper::Beta2));
    Val correct1 = spread(one / hyper(Hyper::Correction1)), correct2 = spread(one / hyper(Hyper::Correction2));
    Val epsilon = spread(hyper(Hyper::Epsilon)), shrink = spread(one - rate * hyper(Hyper::WeightDecay));
    forEachVector(k, lanes, [&](const Lanes &at) {
      auto load = [&](const Buffer &buffer) { return toFloat(at.load(buffer), k.f64Type()); };
      Val g = factor * load(gradient);
      Val m = beta1 * load(firsts) + rest1 * g;
      Val v = beta2 * load(seconds) + rest2 * (g * g);
      Val w = spec.decays ? load(weights) * shrink : load(weights);
      at.store(firsts, m);
      at.store(seconds, v);
      at.store(weights, w - rates * (m * correct1) / (sqrt(v * correct2) + epsilon));
    });
  });
  return {symbol, blocksOf(spec.elements)};
}

} // namespace chimera::cpu
