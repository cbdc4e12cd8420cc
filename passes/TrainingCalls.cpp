// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One op of training to launches of ref kernels: which, and their buffers in the order that
// codegen/ref/TrainingKernels.h gives. Mixers and the optimizer are in TrainingMixerCalls.cpp.

#include "passes/TrainingCalls.h"
#include "passes/RefCalls.h"
#include "passes/TrainingSpecs.h"

#include "dialect/IR/Checks.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

static ref::SeqRouteSpec routeSpec(SeqRouteOp op) {
  ref::SeqRouteSpec spec;
  spec.modes = modeIndices(op.getModes());
  spec.gate = op.getGateKind() == GateKind::One ? ref::GateKind::One : ref::GateKind::Prob;
  spec.biasInGate = op.getBiasInGate();
  spec.admits = !op.getSoft();
  spec.type = scalarOf(op.getLogits());
  spec.capacity = capacitiesOf(spec.modes.size(), op.getCapacity(), op.getMaxTokens());
  return spec;
}

bool TrainingCalls::lowerRouting(Operation *op) {
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](SeqRouteOp route) {
        KernelCall(rewriter, op)
            .rows(route.getRows())
            .in({route.getLogits(), route.getBias(), route.getNoise(), route.getHyper()})
            .out(route.getMode().getType())
            .out(route.getWanted().getType())
            .out(route.getGate().getType())
            .out(route.getLogP().getType())
            .constant(static_cast<int64_t>(route.getLayer()))
            .constant(columnsOf(route.getNoise()) / 4)
            .replace(getOrEmit(kernels, routeSpec(route)));
        return true;
      })
      .Case([&](SeqRouteGradOp grad) {
        ref::SeqRouteGradSpec spec{modeIndices(grad.getModes()), grad.getBiasInGate(),  bool(grad.getDgate()),
                                   bool(grad.getDlogP()),        bool(grad.getNoise()), scalarOf(grad.getLogits())};
        KernelCall(rewriter, op)
            .start(rowsOf(grad.getLogits()))
            .in({grad.getLogits(), grad.getBias(), grad.getHyper(), grad.getPrices(), grad.getMode()})
            .optional(grad.getDgate())
            .optional(grad.getDlogP())
            .optional(grad.getNoise())
            .out(grad.getResult().getType())
            .constant(static_cast<int64_t>(grad.getLayer()))
            .constant(grad.getNoise() ? columnsOf(grad.getNoise()) / 4 : 0)
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](RouteExpertsGradOp grad) {
        ref::RouteExpertsGradSpec spec{columnsOf(grad.getLogits()), static_cast<ref::ExpertScore>(grad.getScore()),
                                       grad.getNormalized(), grad.getScale().convertToDouble(),
                                       scalarOf(grad.getLogits())};
        KernelCall(rewriter, op)
            .start(rowsOf(grad.getLogits()))
            .in(op->getOperands())
            .out(grad.getDlogits().getType())
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](RouteStatisticsOp statistics) {
        ref::RouteStatisticsSpec spec{modeIndices(statistics.getModes()), scalarOf(statistics.getLogP())};
        KernelCall(rewriter, op)
            .start(rowsOf(statistics.getLogP()))
            .in(op->getOperands())
            .out(statistics.getResult().getType())
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Default(false);
}

bool TrainingCalls::lowerCombination(Operation *op) {
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](AddExpertGradOp grad) {
        ref::AddExpertGradSpec spec{columnsOf(grad.getDresult()), columnsOf(grad.getWeights()),
                                    scalarOf(grad.getDresult())};
        KernelCall(rewriter, op)
            .rows(grad.getFrom())
            .in({grad.getDresult(), grad.getOutput(), grad.getWeights()})
            .out(grad.getDoutput().getType())
            .out(grad.getDweight().getType())
            .constant(static_cast<int64_t>(grad.getExpert()))
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](SoftCombineOp combine) {
        ref::SoftCombineSpec spec{columnsOf(combine.getResidual()),
                                  presence(combine.getModes(), combine.getOutputModes()),
                                  scalarOf(combine.getResidual())};
        KernelCall(rewriter, op)
            .start(rowsOf(combine.getResidual()))
            .in(op->getOperands())
            .out(combine.getResult().getType())
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](SoftCombineGradOp grad) {
        ref::SoftCombineGradSpec spec{columnsOf(grad.getDresult()), presence(grad.getModes(), grad.getOutputModes()),
                                      scalarOf(grad.getDresult())};
        KernelCall call(rewriter, op);
        call.start(rowsOf(grad.getDlogP())).in(op->getOperands());
        call.out(op->getResultTypes()).replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](CombineGradOp grad) {
        ref::CombineGradSpec spec{columnsOf(grad.getDresult()), modeIndices(grad.getModes()),
                                  scalarOf(grad.getDresult())};
        KernelCall call(rewriter, op);
        call.start(rowsOf(grad.getDgate())).in(op->getOperands());
        call.out(op->getResultTypes()).replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](ScatterOp scatter) {
        ref::ScatterSpec spec{columnsOf(scatter.getResult()), static_cast<int64_t>(scatter.getPieces().size()),
                              scalarOf(scatter.getResult())};
        KernelCall call(rewriter, op);
        call.start(scatter.getTo());
        for (auto [piece, rows] : llvm::zip_equal(scatter.getPieces(), scatter.getFrom())) {
          call.rows(rows).in(piece);
        }
        call.out(scatter.getResult().getType()).replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](ScatterColumnsOp scatter) {
        ref::ScatterColumnsSpec spec{columnsOf(scatter.getResult()), std::vector<int64_t>(scatter.getColumns()),
                                     scalarOf(scatter.getResult())};
        KernelCall call(rewriter, op);
        call.start(scatter.getTo());
        for (auto [piece, rows] : llvm::zip_equal(scatter.getPieces(), scatter.getFrom())) {
          call.rows(rows).in(piece);
        }
        call.out(scatter.getResult().getType()).replace(getOrEmit(kernels, spec));
        return true;
      })
      .Default(false);
}

//===----------------------------------------------------------------------===//
// Row by row, and sums over rows
//===----------------------------------------------------------------------===//

bool TrainingCalls::lowerRowwise(Operation *op) {
  auto rowwise = [&](Value rowsLike, const kernel::Kernel &kernel) {
    KernelCall call(rewriter, op);
    call.start(rowsOf(rowsLike)).in(op->getOperands());
    call.out(op->getResultTypes()).replace(kernel);
    return true;
  };
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](NormGradOp grad) {
        auto kind = grad.getKind() == NormKind::RMS ? ref::NormKind::RMS : ref::NormKind::Layer;
        ref::NormGradSpec spec{columnsOf(grad.getInput()),      kind,
                               grad.getEps().convertToDouble(), scalarOf(grad.getInput()),
                               int64_t(grad.getGroups()),       grad.getUnitOffset()};
        return rowwise(grad.getInput(), getOrEmit(kernels, spec));
      })
      .Case([&](GatedNormGradOp grad) {
        ref::GatedNormGradSpec spec{columnsOf(grad.getInput()), int64_t(grad.getGroups()),
                                    grad.getEps().convertToDouble(), scalarOf(grad.getInput())};
        return rowwise(grad.getInput(), getOrEmit(kernels, spec));
      })
      .Case([&](SoftCapGradOp grad) {
        ref::SoftCapGradSpec spec{columnsOf(grad.getCapped()), grad.getCap().convertToDouble(),
                                  scalarOf(grad.getCapped())};
        return rowwise(grad.getDresult(), getOrEmit(kernels, spec));
      })
      .Case([&](ActivateGradOp grad) {
        ref::ActivateGradSpec spec{columnsOf(grad.getInput()), activationOf(grad), scalarOf(grad.getInput())};
        return rowwise(grad.getInput(), getOrEmit(kernels, spec));
      })
      .Case([&](GluGradOp grad) {
        ref::GluGradSpec spec{columnsOf(grad.getGate()), activationOf(grad), scalarOf(grad.getGate())};
        return rowwise(grad.getGate(), getOrEmit(kernels, spec));
      })
      .Case([&](JoinColumnsOp join) {
        ref::JoinColumnsSpec spec{
            columnsOf(join.getResult()), std::vector<int64_t>(join.getOffsets()), {}, scalarOf(join.getResult())};
        for (Value piece : join.getPieces()) {
          spec.sizes.push_back(columnsOf(piece));
        }
        return rowwise(join.getPieces().front(), getOrEmit(kernels, spec));
      })
      .Case([&](LinearInputGradOp grad) {
        ref::LinearInputGradSpec spec{columnsOf(grad.getDinput()), columnsOf(grad.getDresult()),
                                      scalarOf(grad.getWeight()), scalarOf(grad.getDinput())};
        return rowwise(grad.getDresult(), getOrEmit(kernels, spec));
      })
      .Default(false);
}

bool TrainingCalls::lowerSums(Operation *op) {
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](ColumnSumOp sum) {
        ref::ColumnSumSpec spec{columnsOf(sum.getInput()), scalarOf(sum.getInput()), scalarOf(sum.getResult())};
        KernelCall(rewriter, op)
            .in(sum.getLeaves())
            .start(rowsOf(sum.getInput()))
            .in(sum.getInput())
            .out(sum.getResult().getType())
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](LinearWeightGradOp grad) {
        ref::LinearWeightGradSpec spec{columnsOf(grad.getInput()), columnsOf(grad.getDresult()),
                                       scalarOf(grad.getInput()), scalarOf(grad.getDweight())};
        KernelCall(rewriter, op)
            .in(grad.getLeaves())
            .start(rowsOf(grad.getInput()))
            .in({grad.getDresult(), grad.getInput()})
            .out(grad.getDweight().getType())
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](EmbedGradOp grad) {
        auto table = cast<RankedTensorType>(grad.getDtable().getType());
        KernelCall(rewriter, op)
            .in(grad.getLeaves())
            .start(rowsOf(grad.getDresult()))
            .in({grad.getTokens(), grad.getDresult()})
            .out(table)
            .replace(getOrEmit(
                kernels, ref::EmbedGradSpec{table.getDimSize(0), table.getDimSize(1), scalarOf(grad.getDtable())}));
        return true;
      })
      .Default(false);
}

//===----------------------------------------------------------------------===//
// The loss
//===----------------------------------------------------------------------===//

bool TrainingCalls::lowerLoss(Operation *op) {
  auto vocabulary = [](Value weight) { return cast<RankedTensorType>(weight.getType()).getDimSize(0); };
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](CrossEntropyOp loss) {
        ref::CrossEntropySpec spec{columnsOf(loss.getInput()), vocabulary(loss.getWeight()), scalarOf(loss.getWeight()),
                                   scalarOf(loss.getLse()), softCapOf(loss)};
        KernelCall(rewriter, op)
            .rows(loss.getRows())
            .in({loss.getTargets(), loss.getInput(), loss.getWeight()})
            .out(loss.getLse().getType())
            .out(loss.getScores().getType())
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](CrossEntropyInputGradOp grad) {
        ref::CrossEntropyInputGradSpec spec{columnsOf(grad.getInput()), vocabulary(grad.getWeight()),
                                            scalarOf(grad.getWeight()), scalarOf(grad.getLse()), softCapOf(grad)};
        KernelCall(rewriter, op)
            .rows(grad.getRows())
            .in({grad.getTargets(), grad.getHyper(), grad.getInput(), grad.getWeight(), grad.getLse()})
            .out(grad.getDinput().getType())
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Case([&](CrossEntropyWeightGradOp grad) {
        ref::CrossEntropyWeightGradSpec spec{columnsOf(grad.getInput()), vocabulary(grad.getWeight()),
                                             scalarOf(grad.getWeight()), scalarOf(grad.getLse()), softCapOf(grad)};
        KernelCall(rewriter, op)
            .in(grad.getLeaves())
            .rows(grad.getRows())
            .in({grad.getTargets(), grad.getHyper(), grad.getInput(), grad.getWeight(), grad.getLse()})
            .out(grad.getDweight().getType())
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Default(false);
}

bool TrainingCalls::lower(Operation *op) {
  rewriter.setInsertionPoint(op);
  return isa<TrainingStateOp>(op) || lowerRouting(op) || lowerCombination(op) || lowerRowwise(op) || lowerSums(op) ||
         lowerLoss(op) || lowerAttention(op) || lowerConv(op) || lowerScan(op) || lowerOptimizer(op);
}
