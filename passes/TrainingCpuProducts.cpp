// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Training on the cpu target: matrix products and the loss.

#include "passes/TrainingCpuCalls.h"

#include "codegen/cpu/TrainingLoss.h"
#include "codegen/cpu/TrainingProducts.h"
#include "dialect/IR/Checks.h"
#include "passes/CpuCalls.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// The f32 parameter that a weight of a product is, or is rounded from; null if there is none.
static Value masterOf(Value weight) {
  if (auto round = weight.getDefiningOp<RoundParamOp>()) {
    weight = round.getInput();
  }
  return elementOf(weight).isF32() ? weight : Value();
}

namespace {

/// Lowers products of one program.
class Products {
public:
  Products(IRRewriter &rewriter, ModuleOp kernels, const cpu::Isa &isa)
      : rewriter(rewriter), kernels(kernels), isa(isa) {}

  /// result = input weight^T, or input weight if `transposed`.
  bool lower(Operation *op, Value input, Value weight, bool transposed) {
    Value master = masterOf(weight), result = op->getResult(0), rows = rowsOf(input);
    if (!master || !rows || !elementOf(result).isF32()) {
      return false;
    }
    cpu::LinearSpec spec;
    spec.inputs = columnsOf(input);
    spec.outputs = columnsOf(result);
    spec.in = scalarOf(input);
    spec.weight = elementOf(weight).isF32() ? cpu::WeightFormat::F32 : cpu::WeightFormat::BF16;
    auto [matrix, view] = CpuCalls::columns(input);
    spec.x = view;
    Value packed = pack(op, master, {0, 0, transposed, packedLayout(isa, spec)});
    rewriter.setInsertionPoint(op);
    KernelCall(rewriter, op)
        .rows(rows)
        .in({matrix, packed})
        .out(result.getType())
        .replace(getOrEmit(kernels, isa, spec));
    return true;
  }

  bool lower(LinearWeightGradOp op) {
    cpu::WeightGradSpec spec{columnsOf(op.getInput()), columnsOf(op.getDresult()), scalarOf(op.getInput())};
    if (!elementOf(op.getDweight()).isF32()) {
      return false;
    }
    KernelCall(rewriter, op)
        .in(op.getLeaves())
        .start(rowsOf(op.getInput()))
        .in({op.getDresult(), op.getInput()})
        .out(op.getDweight().getType())
        .replace(getOrEmit(kernels, isa, spec));
    return true;
  }

  bool lower(EmbedGradOp op) {
    auto table = cast<RankedTensorType>(op.getDtable().getType());
    if (!table.getElementType().isF32() || table.getDimSize(1) > cpu::mostEmbedWidth) {
      return false;
    }
    cpu::EmbedGradSpec spec{table.getDimSize(0), table.getDimSize(1)};
    cpu::EmbedGrad kernel = getOrEmitGrad(kernels, isa, spec);
    ResultRange ordered = KernelCall(rewriter, op)
                              .in(op.getLeaves())
                              .start(rowsOf(op.getDresult()))
                              .in(op.getTokens())
                              .out(RankedTensorType::get({spec.vocab + 2}, rewriter.getI32Type()))
                              .out(RankedTensorType::get({ShapedType::kDynamic}, rewriter.getI32Type()))
                              .emit(kernel.order);
    KernelCall(rewriter, op)
        .in({op.getLeaves(), ordered[0], ordered[1], op.getDresult()})
        .out(table)
        .replace(kernel.sum);
    return true;
  }

  bool lower(CrossEntropyOp op) {
    Value master = masterOf(op.getWeight());
    if (!master || !elementOf(op.getLse()).isF32()) {
      return false;
    }
    cpu::CrossEntropySpec spec{columnsOf(op.getInput()), wordsOf(master), scalarOf(op.getInput()), softCapOf(op)};
    Value packed = pack(op, master, {0, 0, /*transposed=*/false, lossLayout(isa, spec)});
    rewriter.setInsertionPoint(op);
    KernelCall(rewriter, op)
        .rows(op.getRows())
        .in({op.getTargets(), op.getInput(), packed})
        .out(op.getLse().getType())
        .out(op.getScores().getType())
        .replace(getOrEmit(kernels, isa, spec));
    return true;
  }

  /// Both gradients of the loss at once, at the place of the earlier op. Of the two the later one is lowered first, and
  /// replaced; the other one has no use left when its turn comes.
  template <typename Op, typename Twin> bool lowerLossGrad(Op op) {
    if (op->use_empty()) {
      rewriter.eraseOp(op);
      return true;
    }
    Value master = masterOf(op.getWeight());
    Twin twin = twinOf<Op, Twin>(op);
    if (!master || !twin || !elementOf(op.getLse()).isF32() || columnsOf(op.getInput()) > cpu::mostLossInputs) {
      return false;
    }
    Operation *first = twin->isBeforeInBlock(op) ? twin.getOperation() : op.getOperation();
    rewriter.setInsertionPoint(first);
    cpu::CrossEntropyGradSpec spec{columnsOf(op.getInput()), wordsOf(master), scalarOf(op.getInput()), softCapOf(op)};
    cpu::CrossEntropyGrad kernel = getOrEmitGrad(kernels, isa, spec);
    auto [input, weight] = inputAndWeight(op, twin);
    auto parts = RankedTensorType::get({ShapedType::kDynamic, cpu::lossParts(isa, spec)}, rewriter.getF32Type());
    ResultRange both = KernelCall(rewriter, weight)
                           .in(weight.getLeaves())
                           .rows(op.getRows())
                           .in({op.getTargets(), op.getHyper(), op.getInput(), master, op.getLse()})
                           .out(weight.getDweight().getType())
                           .out(parts)
                           .emit(kernel.gradients);
    Value sum = KernelCall(rewriter, input)
                    .start(op.getRows())
                    .in(both[1])
                    .out(input.getDinput().getType())
                    .emit(kernel.sum)
                    .front();
    rewriter.replaceAllUsesWith(weight.getDweight(), both[0]);
    rewriter.replaceAllUsesWith(input.getDinput(), sum);
    rewriter.eraseOp(op);
    return true;
  }

private:
  static int64_t wordsOf(Value weight) { return cast<RankedTensorType>(weight.getType()).getDimSize(0); }

  /// The other gradient of the same loss; null if there is none.
  template <typename Op, typename Twin> static Twin twinOf(Op op) {
    for (Operation *user : op.getLse().getUsers()) {
      auto twin = dyn_cast<Twin>(user);
      if (twin && twin->getBlock() == op->getBlock() && twin.getInput() == op.getInput() &&
          twin.getWeight() == op.getWeight() && twin.getTargets() == op.getTargets() &&
          twin.getHyper() == op.getHyper() && twin.getRows() == op.getRows() &&
          twin.getSoftCapAttr() == op.getSoftCapAttr()) {
        return twin;
      }
    }
    return nullptr;
  }
  static std::pair<CrossEntropyInputGradOp, CrossEntropyWeightGradOp> inputAndWeight(CrossEntropyInputGradOp input,
                                                                                     CrossEntropyWeightGradOp weight) {
    return {input, weight};
  }
  static std::pair<CrossEntropyInputGradOp, CrossEntropyWeightGradOp> inputAndWeight(CrossEntropyWeightGradOp weight,
                                                                                     CrossEntropyInputGradOp input) {
    return {input, weight};
  }

  /// The packed form of a master, made before `op`. Ops are lowered from the last to the first, so that a form that
  /// there is already comes forward.
  Value pack(Operation *op, Value master, cpu::PackSpec spec) {
    auto type = cast<RankedTensorType>(master.getType());
    spec.rows = type.getDimSize(0);
    spec.columns = type.getDimSize(1);
    kernel::Kernel kernel = getOrEmit(kernels, isa, spec);
    for (Operation *user : master.getUsers()) {
      auto call = dyn_cast<CallOp>(user);
      if (call && call->getBlock() == op->getBlock() && call.getKernel() == kernel.symbol) {
        if (op->isBeforeInBlock(call)) {
          rewriter.moveOpBefore(call, op);
        }
        return call.getResult(0);
      }
    }
    rewriter.setInsertionPoint(op);
    return KernelCall(rewriter, op)
        .in(master)
        .out(RankedTensorType::get({cpu::packedWords(spec)}, rewriter.getF32Type()))
        .emit(kernel)
        .front();
  }

  IRRewriter &rewriter;
  ModuleOp kernels;
  const cpu::Isa &isa;
};

} // namespace

bool TrainingCpuCalls::lowerProduct(Operation *op) {
  Products products(rewriter, kernels, isa);
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](RoundParamOp round) {
        // The products' packed forms round themselves.
        bool unused = round->use_empty();
        unused ? rewriter.eraseOp(op) : void();
        return unused;
      })
      .Case([&](LinearOp linear) { return products.lower(op, linear.getInput(), linear.getWeight(), false); })
      .Case([&](LinearInputGradOp grad) { return products.lower(op, grad.getDresult(), grad.getWeight(), true); })
      .Case([&](LinearWeightGradOp grad) { return products.lower(grad); })
      .Case([&](EmbedGradOp grad) { return products.lower(grad); })
      .Case([&](CrossEntropyOp loss) { return products.lower(loss); })
      .Case([&](CrossEntropyInputGradOp grad) {
        return products.lowerLossGrad<CrossEntropyInputGradOp, CrossEntropyWeightGradOp>(grad);
      })
      .Case([&](CrossEntropyWeightGradOp grad) {
        return products.lowerLossGrad<CrossEntropyWeightGradOp, CrossEntropyInputGradOp>(grad);
      })
      .Default(false);
}
