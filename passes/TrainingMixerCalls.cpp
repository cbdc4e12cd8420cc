// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The mixers of training, and the optimizer, to launches of ref kernels.

#include "passes/TrainingCalls.h"
#include "passes/TrainingSpecs.h"

#include "dialect/IR/Checks.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

bool TrainingCalls::lowerAttention(Operation *op) {
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](SeqAttendOp attend) {
        ref::SeqAttendSpec spec = attendSpec(attend, !attend.getOwnEntry().empty(), attend.getResult());
        KernelCall(rewriter, op)
            .rows(attend.getOwn())
            .rows(attend.getKeys())
            .in({attend.getQuery(), attend.getKey(), attend.getValue()})
            .optional(attend.getWrite())
            .in(attend.getOwnEntry())
            .out(attend.getResult().getType())
            .out(attend.getLse().getType())
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](SeqAttendQueryGradOp grad) {
        ref::SeqAttendSpec spec = attendSpec(grad, !grad.getOwnEntry().empty(), grad.getDquery());
        KernelCall call(rewriter, op);
        call.rows(grad.getOwn())
            .rows(grad.getKeys())
            .in({grad.getQuery(), grad.getKey(), grad.getValue()})
            .optional(grad.getWrite())
            .in(grad.getOwnEntry())
            .in({grad.getResult(), grad.getLse(), grad.getDresult()});
        call.out(op->getResultTypes()).replace(getOrEmitGrad(kernels, spec).queries);
        return true;
      })
      .Case([&](SeqAttendKeyGradOp grad) {
        ref::SeqAttendSpec spec = attendSpec(grad, grad.getTentative(), grad.getDkey());
        KernelCall call(rewriter, op);
        call.rows(grad.getKeys())
            .rows(grad.getOwn())
            .in({grad.getQuery(), grad.getKey(), grad.getValue()})
            .optional(grad.getWrite())
            .in({grad.getLse(), grad.getDelta(), grad.getDresult()});
        call.out(op->getResultTypes()).replace(getOrEmitGrad(kernels, spec).keys);
        return true;
      })
      .Default(false);
}

//===----------------------------------------------------------------------===//
// Causal convolution
//===----------------------------------------------------------------------===//

bool TrainingCalls::lowerConv(Operation *op) {
  auto kept = [](KernelCall &call, Value entries, Value rows) -> KernelCall & {
    return rows ? call.rows(rows).in(entries) : call;
  };
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](SeqConvOp conv) {
        ref::SeqConvSpec spec =
            convSpec(conv.getInput(), conv.getWeight(), conv.getActivation() == Activation::SiLU, bool(conv.getKept()));
        KernelCall call(rewriter, op);
        call.rows(conv.getRows()).in({conv.getInput(), conv.getWeight(), conv.getBias()});
        kept(call, conv.getKept(), conv.getKeptRows())
            .out(conv.getResult().getType())
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](SeqConvActivationGradOp grad) {
        ref::SeqConvSpec spec = convSpec(grad.getInput(), grad.getWeight(), true, bool(grad.getKept()));
        KernelCall call(rewriter, op);
        call.rows(grad.getRows()).in({grad.getInput(), grad.getWeight(), grad.getBias()});
        kept(call, grad.getKept(), grad.getKeptRows())
            .in(grad.getDresult())
            .out(grad.getResult().getType())
            .replace(getOrEmitGrad(kernels, spec).activation);
        return true;
      })
      .Case([&](SeqConvInputGradOp grad) {
        ref::SeqConvSpec spec = convSpec(grad.getDresult(), grad.getWeight(), false, bool(grad.getKeptRows()));
        KernelCall call(rewriter, op);
        call.rows(grad.getRows()).in(grad.getWeight());
        if (grad.getKeptRows()) {
          call.rows(grad.getKeptRows());
        }
        call.in(grad.getDresult());
        call.out(op->getResultTypes()).replace(getOrEmitGrad(kernels, spec).input);
        return true;
      })
      .Case([&](SeqConvWeightGradOp grad) {
        ref::SeqConvSpec spec = convSpec(grad.getInput(), grad.getDweight(), false, bool(grad.getKept()));
        KernelCall call(rewriter, op);
        call.in(grad.getLeaves()).rows(grad.getRows()).in(grad.getInput());
        kept(call, grad.getKept(), grad.getKeptRows())
            .in(grad.getDresult())
            .out(grad.getDweight().getType())
            .out(grad.getDbias().getType())
            .replace(getOrEmitGrad(kernels, spec).weight);
        return true;
      })
      .Default(false);
}

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

/// The mode whose rows a masked scan keeps.
static constexpr auto keptMode = static_cast<int64_t>(Mode::SSM);

bool TrainingCalls::lowerScan(Operation *op) {
  auto withMask = [](KernelCall &call, Value write, Value mode) -> KernelCall & {
    call.optional(write).optional(mode);
    return mode ? call.constant(keptMode) : call;
  };
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](SeqSsmScanOp scan) {
        KernelCall call(rewriter, op);
        call.rows(scan.getRows()).in({scan.getXbc(), scan.getDt(), scan.getALog(), scan.getSkip(), scan.getDtBias()});
        withMask(call, scan.getWrite(), scan.getMode()).out(scan.getStates().getType()).out(scan.getResult().getType());
        ResultRange made = call.emit(getOrEmit(kernels, ssmSpec(scan)));
        rewriter.replaceOp(op, {made[1], made[0]});
        return true;
      })
      .Case([&](SeqSsmScanGradOp grad) {
        KernelCall call(rewriter, op);
        call.rows(grad.getRows()).in({grad.getXbc(), grad.getDt(), grad.getALog(), grad.getSkip(), grad.getDtBias()});
        withMask(call, grad.getWrite(), grad.getMode()).in({grad.getStates(), grad.getDresult()});
        call.out(op->getResultTypes()).replace(getOrEmitGrad(kernels, ssmSpec(grad)));
        return true;
      })
      .Case([&](SeqLtiScanOp scan) {
        KernelCall call(rewriter, op);
        call.rows(scan.getRows()).in({scan.getInput(), scan.getDecay()});
        withMask(call, scan.getWrite(), scan.getMode()).out(op->getResultTypes());
        call.replace(getOrEmit(kernels, ltiSpec(scan)));
        return true;
      })
      .Case([&](SeqLtiScanGradOp grad) {
        KernelCall call(rewriter, op);
        call.rows(grad.getRows()).in({grad.getInput(), grad.getDecay()});
        withMask(call, grad.getWrite(), grad.getMode()).in({grad.getResult(), grad.getDresult()});
        call.out(op->getResultTypes()).replace(getOrEmitGrad(kernels, ltiSpec(grad)));
        return true;
      })
      .Default(false);
}

//===----------------------------------------------------------------------===//
// The optimizer
//===----------------------------------------------------------------------===//

/// Partial sums of each gradient, added one after the other to the total.
void TrainingCalls::lowerSquaredNorm(SquaredNormOp op) {
  Value total;
  for (Value gradient : op.getGradients()) {
    int64_t elements = elementsOf(gradient);
    int64_t blocks = (elements + ref::optimizerBlock - 1) / ref::optimizerBlock;
    auto partials = RankedTensorType::get({blocks}, rewriter.getF64Type());
    Value partial = KernelCall(rewriter, op)
                        .in(gradient)
                        .out(partials)
                        .constant(elements)
                        .emit(getOrEmit(kernels, ref::SumSquaresSpec{elements, scalarOf(elementOf(gradient))}))[0];
    KernelCall add(rewriter, op);
    add.in(partial);
    total ? add.update(total) : add.out(op.getResult().getType());
    total = add.constant(blocks).emit(getOrEmit(kernels, ref::AddPartialsSpec{/*first=*/!total}))[0];
  }
  rewriter.replaceOp(op, total);
}

bool TrainingCalls::lowerOptimizer(Operation *op) {
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](SquaredNormOp norm) {
        lowerSquaredNorm(norm);
        return true;
      })
      .Case([&](AdamWOp adamw) {
        int64_t elements = elementsOf(adamw.getGradient());
        ref::AdamWSpec spec{elements, adamw.getDecays(), adamw.getRouter(), scalarOf(elementOf(adamw.getGradient()))};
        KernelCall(rewriter, op)
            .in({adamw.getHyper(), adamw.getNorm(), adamw.getGradient()})
            .update(adamw.getMaster())
            .update(adamw.getMoment1())
            .update(adamw.getMoment2())
            .constant(elements)
            .emit(getOrEmit(kernels, spec));
        rewriter.eraseOp(op);
        return true;
      })
      .Case([&](AccumulateOp accumulate) {
        int64_t elements = elementsOf(accumulate.getTotal());
        KernelCall(rewriter, op)
            .update(accumulate.getGradient())
            .update(accumulate.getTotal())
            .constant(elements)
            .emit(getOrEmit(kernels, ref::AccumulateSpec{elements, scalarOf(elementOf(accumulate.getTotal()))}));
        rewriter.eraseOp(op);
        return true;
      })
      .Case([&](RoundParamOp round) {
        int64_t elements = elementsOf(round.getInput());
        ref::RoundSpec spec{elements, scalarOf(elementOf(round.getInput())), scalarOf(elementOf(round.getResult()))};
        KernelCall(rewriter, op)
            .in(round.getInput())
            .out(round.getResult().getType())
            .constant(elements)
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](SumOp sum) {
        int64_t elements = elementsOf(sum.getResult());
        KernelCall(rewriter, op)
            .in({sum.getLhs(), sum.getRhs()})
            .out(sum.getResult().getType())
            .constant(elements)
            .replace(getOrEmit(kernels, ref::SumSpec{elements, scalarOf(elementOf(sum.getResult()))}));
        return true;
      })
      .Default(false);
}
