// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The gradient of the embedding: a counting sort of the rows by token, then each token's rows.
#include "codegen/cpu/Reduce.h"
#include "codegen/cpu/TrainingLeaves.h"
#include "codegen/cpu/TrainingProducts.h"
#include "codegen/ref/TrainingKernels.h"

using namespace mlir;

namespace chimera::cpu {

/// Tokens of a block of the second kernel.
static constexpr int64_t blockTokens = 64;

/// One block: counts, places, rows.
static void emitOrder(KernelBuilder &k, const EmbedGradSpec &spec) {
  Buffer leaves = k.buffer(Elem::I32), start = k.buffer(Elem::I32), tokens = k.buffer(Elem::I32);
  Buffer first = k.buffer(Elem::I32), order = k.buffer(Elem::I32);
  Val zero = k.integer(0);
  auto forEachRowAndLeaf = [&](llvm::function_ref<void(Val, Val)> body) {
    k.forEach(zero, leaves.load(0), [&](Val leaf) {
      Val base = start.load(0);
      k.forEach(start.load(leaves.load(leaf + 1)) - base, start.load(leaves.load(leaf + 2)) - base,
                [&](Val row) { body(row, leaf); });
    });
  };
  k.forEach(k.begin(), k.end(), [&](Val) {
    k.forEach(0, spec.vocab + 2, [&](Val i) { first.store(i, zero); });
    // Token v's count goes to first[v + 2], so that first[v + 1] becomes its next free place, and at last its end.
    forEachRowAndLeaf([&](Val row, Val) {
      Val at = tokens.load(row) + 2;
      first.store(at, first.load(at) + 1);
    });
    k.forEach(1, spec.vocab + 2, [&](Val i) { first.store(i, first.load(i) + first.load(i - 1)); });
    forEachRowAndLeaf([&](Val row, Val leaf) {
      Val at = tokens.load(row) + 1, place = first.load(at);
      order.store(place, row * ir::maxLeaves + leaf);
      first.store(at, place + 1);
    });
  });
}

namespace {

/// The body of the second kernel.
class TokenSums {
public:
  TokenSums(KernelBuilder &k, const Isa &isa, const EmbedGradSpec &spec)
      : k(k), spec(spec), lanes(isa.lanes), leaves(k.buffer(Elem::I32)), first(k.buffer(Elem::I32)),
        order(k.buffer(Elem::I32)), dx(k.buffer(Elem::F32)), dtable(k.buffer(Elem::F32)),
        ends(k.scratch(Elem::I64, ir::maxLeaves + 1)), sums(k.scratch(Elem::F32, leafLevels * size())) {}

  void build() {
    k.forEach(k.begin(), k.end(), [&](Val block) {
      k.forEach(block * blockTokens, min((block + 1) * blockTokens, k.integer(spec.vocab)), [&](Val token) {
        Val low = first.load(token), high = first.load(token + 1);
        Buffer to = dtable.at(token * spec.width);
        Val oneLeaf =
            k.choose(low < high, [&] { return leafOf(low) == leafOf(high - 1); }, [&] { return low == high; });
        k.either(oneLeaf, [&] { addRows(low, high, to); }, [&] { addLeaves(low, high, to); });
      });
    });
  }

private:
  int64_t size() { return (spec.width + lanes - 1) / lanes * lanes; }
  Val leafOf(Val place) { return order.load(place) % ir::maxLeaves; }

  /// to = the sum of the rows at these places of the order, from +0. (A sum from +0 is never -0, so that a leaf without
  /// rows changes nothing.)
  void addRows(Val low, Val high, const Buffer &to) {
    forEachVector(k, spec.width, lanes, [&](Val column, int64_t count) {
      Val zeros = k.real(0, k.vectorType(k.f32Type(), count));
      to.storeVector(column, k.fold(low, high, zeros, [&](Val place, Val sum) {
        Val row = order.load(place) / ir::maxLeaves;
        return sum + dx.loadVector(row * spec.width + column, count);
      }));
    });
  }

  void addLeaves(Val low, Val high, const Buffer &to) {
    k.forEach(0, ir::maxLeaves + 1, [&](Val leaf) { ends.store(leaf, k.integer(0)); });
    ends.store(k.integer(0), low);
    k.forEach(low, high, [&](Val place) {
      Val after = leafOf(place) + 1;
      ends.store(after, place + 1);
    });
    // A leaf without rows ends where the one before it does.
    k.forEach(1, ir::maxLeaves + 1, [&](Val leaf) { ends.store(leaf, max(ends.load(leaf), ends.load(leaf - 1))); });
    sumByLeaves(k, leaves.load(0), sums, size(), lanes,
                [&](Val leaf, const Buffer &ofLeaf) { addRows(ends.load(leaf), ends.load(leaf + 1), ofLeaf); });
    forEachVector(k, spec.width, lanes,
                  [&](Val column, int64_t count) { to.storeVector(column, sums.loadVector(column, count)); });
  }

  KernelBuilder &k;
  const EmbedGradSpec &spec;
  int64_t lanes;
  Buffer leaves, first, order, dx, dtable, ends, sums;
};

} // namespace

EmbedGrad getOrEmitGrad(ModuleOp kernels, const Isa &isa, const EmbedGradSpec &spec) {
  std::string shape = std::to_string(spec.vocab) + "x" + std::to_string(spec.width);
  std::string order = emitKernel(kernels, symbolOf({"cpu_embed_order", std::to_string(spec.vocab)}),
                                 [&](KernelBuilder &k) { emitOrder(k, spec); });
  std::string sum = emitKernel(kernels, symbolOf({"cpu_embed_grad", shape}),
                               [&](KernelBuilder &k) { TokenSums(k, isa, spec).build(); });
  int64_t blocks = (spec.vocab + blockTokens - 1) / blockTokens;
  return {{order, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/1}},
          {sum, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/blocks}}};
}

} // namespace chimera::cpu
