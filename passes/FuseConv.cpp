// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-fuse-conv: convolutions that bring their tails up to date.

#include "dialect/IR/LayerListener.h"
#include "dialect/IR/Ops.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

namespace chimera {
#define GEN_PASS_DEF_FUSECONV
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// The op that commits the rows of a convolution to its tail; null if it commits others, or another op reads the tail.
static ShiftTailOp shiftOf(CausalConvOp conv) {
  ShiftTailOp shift;
  for (Operation *user : conv.getTail().getUsers()) {
    if (user == conv) {
      continue;
    }
    auto candidate = dyn_cast<ShiftTailOp>(user);
    if (!candidate || shift || candidate->getBlock() != conv->getBlock() || candidate.getInput() != conv.getInput() ||
        candidate.getRows() != conv.getRows()) {
      return nullptr;
    }
    shift = candidate;
  }
  return shift;
}

/// The sum of a convolution without activation and its input, if that is its only use.
static AddOp inputSumOf(CausalConvOp conv) {
  if (conv.getActivation() != Activation::None || !conv->hasOneUse()) {
    return nullptr;
  }
  auto add = dyn_cast<AddOp>(*conv->user_begin());
  bool ofInput = add && (add.getLhs() == conv.getInput() || add.getRhs() == conv.getInput());
  return ofInput ? add : nullptr;
}

static void fuse(IRRewriter &rewriter, CausalConvOp conv) {
  ShiftTailOp shift;
  if (conv.getTail()) {
    shift = shiftOf(conv);
    if (!shift) {
      return;
    }
  }
  AddOp sum = inputSumOf(conv);
  rewriter.setInsertionPoint(conv);
  Type tailType = conv.getTail() ? conv.getTail().getType() : Type();
  auto fused = rewriter.create<FusedConvOp>(conv.getLoc(), conv.getResult().getType(), tailType, conv.getInput(),
                                            conv.getWeight(), conv.getBias(), conv.getRows(), conv.getActivation(),
                                            /*add_input=*/bool(sum), conv.getTail());
  if (sum) {
    rewriter.replaceOp(sum, fused.getResult());
  }
  if (shift) {
    rewriter.replaceOp(shift, fused.getTailOut());
  }
  rewriter.replaceOp(conv, fused.getResult());
}

namespace {
struct FuseConv : chimera::impl::FuseConvBase<FuseConv> {
  void runOnOperation() override {
    LayerListener layers;
    IRRewriter rewriter(&getContext(), &layers);
    SmallVector<CausalConvOp> convs;
    getOperation().walk([&](CausalConvOp op) { convs.push_back(op); });
    for (CausalConvOp conv : convs) {
      layers.follow(conv);
      fuse(rewriter, conv);
    }
  }
};
} // namespace
