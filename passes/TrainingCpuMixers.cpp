// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Training on the cpu target: attention, convolution and scans. The launches have the buffers of the ref kernels
// (TrainingMixerCalls.cpp).

#include "passes/TrainingCpuCalls.h"
#include "passes/TrainingSpecs.h"

#include "codegen/cpu/TrainingAttention.h"
#include "codegen/cpu/TrainingConv.h"
#include "codegen/cpu/TrainingScan.h"
#include "dialect/IR/Checks.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

static bool lowerAttention(IRRewriter &rewriter, ModuleOp kernels, const cpu::Isa &isa, Operation *op) {
  KernelCall call(rewriter, op);
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](SeqAttendOp attend) {
        call.rows(attend.getOwn()).rows(attend.getKeys());
        call.in({attend.getQuery(), attend.getKey(), attend.getValue()}).optional(attend.getWrite());
        call.in(attend.getOwnEntry());
        call.out(op->getResultTypes())
            .replace(getOrEmit(kernels, isa, attendSpec(attend, !attend.getOwnEntry().empty(), attend.getResult())));
        return true;
      })
      .Case([&](SeqAttendQueryGradOp grad) {
        call.rows(grad.getOwn()).rows(grad.getKeys());
        call.in({grad.getQuery(), grad.getKey(), grad.getValue()}).optional(grad.getWrite());
        call.in(grad.getOwnEntry()).in({grad.getResult(), grad.getLse(), grad.getDresult()});
        call.out(op->getResultTypes())
            .replace(
                getOrEmitGrad(kernels, isa, attendSpec(grad, !grad.getOwnEntry().empty(), grad.getDquery())).queries);
        return true;
      })
      .Case([&](SeqAttendKeyGradOp grad) {
        call.rows(grad.getKeys()).rows(grad.getOwn());
        call.in({grad.getQuery(), grad.getKey(), grad.getValue()}).optional(grad.getWrite());
        call.in({grad.getLse(), grad.getDelta(), grad.getDresult()});
        call.out(op->getResultTypes())
            .replace(getOrEmitGrad(kernels, isa, attendSpec(grad, grad.getTentative(), grad.getDkey())).keys);
        return true;
      })
      .Default(false);
}

//===----------------------------------------------------------------------===//
// Causal convolution
//===----------------------------------------------------------------------===//

static bool lowerConv(IRRewriter &rewriter, ModuleOp kernels, const cpu::Isa &isa, Operation *op) {
  KernelCall call(rewriter, op);
  auto addKept = [&](Value entries, Value rows) {
    if (rows) {
      call.rows(rows).in(entries);
    }
  };
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](SeqConvOp conv) {
        bool silu = conv.getActivation() == Activation::SiLU;
        call.rows(conv.getRows()).in({conv.getInput(), conv.getWeight(), conv.getBias()});
        addKept(conv.getKept(), conv.getKeptRows());
        ref::SeqConvSpec spec = convSpec(conv.getInput(), conv.getWeight(), silu, bool(conv.getKept()));
        call.out(op->getResultTypes()).replace(getOrEmit(kernels, isa, spec));
        return true;
      })
      .Case([&](SeqConvActivationGradOp grad) {
        call.rows(grad.getRows()).in({grad.getInput(), grad.getWeight(), grad.getBias()});
        addKept(grad.getKept(), grad.getKeptRows());
        call.in(grad.getDresult());
        ref::SeqConvSpec spec = convSpec(grad.getInput(), grad.getWeight(), true, bool(grad.getKept()));
        call.out(op->getResultTypes()).replace(getOrEmitGrad(kernels, isa, spec).activation);
        return true;
      })
      .Case([&](SeqConvInputGradOp grad) {
        call.rows(grad.getRows()).in(grad.getWeight());
        if (grad.getKeptRows()) {
          call.rows(grad.getKeptRows());
        }
        call.in(grad.getDresult());
        ref::SeqConvSpec spec = convSpec(grad.getDresult(), grad.getWeight(), false, bool(grad.getKeptRows()));
        call.out(op->getResultTypes()).replace(getOrEmitGrad(kernels, isa, spec).input);
        return true;
      })
      .Case([&](SeqConvWeightGradOp grad) {
        call.in(grad.getLeaves()).rows(grad.getRows()).in(grad.getInput());
        addKept(grad.getKept(), grad.getKeptRows());
        call.in(grad.getDresult());
        ref::SeqConvSpec spec = convSpec(grad.getInput(), grad.getDweight(), false, bool(grad.getKept()));
        call.out(op->getResultTypes()).replace(getOrEmitGrad(kernels, isa, spec).weight);
        return true;
      })
      .Default(false);
}

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

/// The write weights and modes, if there are some, and the mode whose rows a masked scan keeps.
static void addMask(KernelCall &call, Value write, Value mode) {
  call.optional(write).optional(mode);
  if (mode) {
    call.constant(static_cast<int64_t>(Mode::SSM));
  }
}

static bool lowerScan(IRRewriter &rewriter, ModuleOp kernels, const cpu::Isa &isa, Operation *op) {
  KernelCall call(rewriter, op);
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](SeqSsmScanOp scan) {
        ref::SeqSsmScanSpec spec = ssmSpec(scan);
        if (!cpu::hasTrainingKernels(spec)) {
          return false;
        }
        call.rows(scan.getRows()).in({scan.getXbc(), scan.getDt(), scan.getALog(), scan.getSkip(), scan.getDtBias()});
        addMask(call, scan.getWrite(), scan.getMode());
        call.out(scan.getStates().getType()).out(scan.getResult().getType());
        ResultRange made = call.emit(getOrEmit(kernels, isa, spec));
        rewriter.replaceOp(op, {made[1], made[0]});
        return true;
      })
      .Case([&](SeqSsmScanGradOp grad) {
        ref::SeqSsmScanSpec spec = ssmSpec(grad);
        if (!cpu::hasTrainingKernels(spec)) {
          return false;
        }
        call.rows(grad.getRows()).in({grad.getXbc(), grad.getDt(), grad.getALog(), grad.getSkip(), grad.getDtBias()});
        addMask(call, grad.getWrite(), grad.getMode());
        call.in({grad.getStates(), grad.getDresult()});
        call.out(op->getResultTypes()).replace(getOrEmitGrad(kernels, isa, spec));
        return true;
      })
      .Case([&](SeqLtiScanOp scan) {
        ref::SeqLtiScanSpec spec = ltiSpec(scan);
        if (!cpu::hasTrainingKernels(spec)) {
          return false;
        }
        call.rows(scan.getRows()).in({scan.getInput(), scan.getDecay()});
        addMask(call, scan.getWrite(), scan.getMode());
        call.out(op->getResultTypes()).replace(getOrEmit(kernels, isa, spec));
        return true;
      })
      .Case([&](SeqLtiScanGradOp grad) {
        ref::SeqLtiScanSpec spec = ltiSpec(grad);
        if (!cpu::hasTrainingKernels(spec)) {
          return false;
        }
        call.rows(grad.getRows()).in({grad.getInput(), grad.getDecay()});
        addMask(call, grad.getWrite(), grad.getMode());
        call.in({grad.getResult(), grad.getDresult()});
        call.out(op->getResultTypes()).replace(getOrEmitGrad(kernels, isa, spec));
        return true;
      })
      .Default(false);
}

bool TrainingCpuCalls::lowerMixer(Operation *op) {
  if (hasF64(op)) {
    return false;
  }
  return lowerAttention(rewriter, kernels, isa, op) || lowerConv(rewriter, kernels, isa, op) ||
         lowerScan(rewriter, kernels, isa, op);
}
