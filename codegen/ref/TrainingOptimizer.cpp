// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/TrainingKernels.h"
#include "codegen/ref/TrainingSupport.h"

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

static Grid blocksOf(int64_t elements) {
  return {/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/(elements + optimizerBlock - 1) / optimizerBlock};
}

/// Calls `body` with a block's number and the elements begin .. end-1 that it has of the args[4] there are.
static void forEachBlock(KernelBuilder &k, function_ref<void(Val block, Val begin, Val end)> body) {
  Val elements = k.argument(4);
  k.forEach(k.begin(), k.end(), [&](Val block) {
    Val first = block * optimizerBlock;
    body(block, first, min(first + optimizerBlock, elements));
  });
}

Kernel getOrEmit(ModuleOp kernels, const RoundSpec &spec) {
  std::string symbol = symbolOf({"round", nameOf(spec.from), nameOf(spec.to)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer x = k.buffer(spec.from), out = k.buffer(spec.to);
    forEachBlock(k, [&](Val, Val begin, Val end) { k.forEach(begin, end, [&](Val i) { out.store(i, x.load(i)); }); });
  });
  return {symbol, blocksOf(spec.elements)};
}

Kernel getOrEmit(ModuleOp kernels, const SumSquaresSpec &spec) {
  std::string symbol = symbolOf({"sum_squares", nameOf(spec.type)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer g = k.buffer(spec.type), partial = k.buffer(Elem::F64);
    forEachBlock(k, [&](Val block, Val begin, Val end) {
      partial.store(block, k.fold(begin, end, k.real(0, k.f64Type()), [&](Val i, Val sum) {
        Val x = toFloat(g.load(i), k.f64Type());
        return fma(x, x, sum);
      }));
    });
  });
  return {symbol, blocksOf(spec.elements)};
}

Kernel getOrEmit(ModuleOp kernels, const AddPartialsSpec &spec) {
  std::string symbol = symbolOf({spec.first ? "sum_partials" : "add_partials"});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer partial = k.buffer(Elem::F64), total = k.buffer(Elem::F64);
    k.forEach(k.begin(), k.end(), [&](Val) {
      Val zero = k.integer(0), start = spec.first ? k.real(0, k.f64Type()) : total.load(zero);
      total.store(zero, k.fold(zero, k.argument(4), start, [&](Val i, Val sum) { return sum + partial.load(i); }));
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/1}};
}

Kernel getOrEmit(ModuleOp kernels, const AdamWSpec &spec) {
  std::string symbol = symbolOf({"adamw", nameOf(spec.type), spec.decays ? "decays" : "", spec.router ? "router" : ""});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer hypers = k.buffer(Elem::F64), total = k.buffer(Elem::F64), gradient = k.buffer(spec.type);
    Buffer weights = k.buffer(spec.type), firsts = k.buffer(spec.type), seconds = k.buffer(spec.type);
    auto hyper = [&](Hyper which) { return hypers.load(static_cast<int64_t>(which)); };
    Val one = k.real(1, k.f64Type()), norm = sqrt(total.load(0)), clip = hyper(Hyper::ClipNorm);
    Val factor = select(norm > clip, clip / norm, one);
    Val rate = hyper(spec.router ? Hyper::RouterLearningRate : Hyper::LearningRate);
    Val beta1 = hyper(Hyper::Beta1), beta2 = hyper(Hyper::Beta2), epsilon = hyper(Hyper::Epsilon);
    Val correction1 = hyper(Hyper::Correction1), correction2 = hyper(Hyper::Correction2);
    Val shrink = one - rate * hyper(Hyper::WeightDecay);
    auto load = [&](const Buffer &buffer, Val i) { return toFloat(buffer.load(i), k.f64Type()); };
    forEachBlock(k, [&](Val, Val begin, Val end) {
      k.forEach(begin, end, [&](Val i) {
        Val g = factor * load(gradient, i);
        Val m = beta1 * load(firsts, i) + (one - beta1) * g;
        Val v = beta2 * load(seconds, i) + (one - beta2) * (g * g);
        Val w = spec.decays ? load(weights, i) * shrink : load(weights, i);
        firsts.store(i, m);
        seconds.store(i, v);
        weights.store(i, w - rate * (m / correction1) / (sqrt(v / correction2) + epsilon));
      });
    });
  });
  return {symbol, blocksOf(spec.elements)};
}

Kernel getOrEmit(ModuleOp kernels, const AccumulateSpec &spec) {
  std::string symbol = symbolOf({"accumulate", nameOf(spec.type)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer g = k.buffer(spec.type), total = k.buffer(spec.type);
    forEachBlock(k, [&](Val, Val begin, Val end) {
      k.forEach(begin, end, [&](Val i) {
        Val sum = total.load(i) + g.load(i);
        total.store(i, sum);
        g.store(i, sum);
      });
    });
  });
  return {symbol, blocksOf(spec.elements)};
}

Kernel getOrEmit(ModuleOp kernels, const SumSpec &spec) {
  std::string symbol = symbolOf({"sum", nameOf(spec.type)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer a = k.buffer(spec.type), b = k.buffer(spec.type), out = k.buffer(spec.type);
    forEachBlock(k, [&](Val, Val begin, Val end) {
      k.forEach(begin, end, [&](Val i) { out.store(i, a.load(i) + b.load(i)); });
    });
  });
  return {symbol, blocksOf(spec.elements)};
}

} // namespace chimera::ref
