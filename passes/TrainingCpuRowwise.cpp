// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Training on the cpu target: what works row by row, sums over rows, and the optimizer, where a kernel of its own is
// faster than that of ref. Buffers come in the order of the ref kernels, as in TrainingCalls.cpp,
// TrainingMixerCalls.cpp and RefCalls.cpp.

#include "codegen/cpu/TrainingOptimizer.h"
#include "codegen/cpu/TrainingRowwise.h"
#include "passes/CpuCalls.h"
#include "passes/PhaseArguments.h"
#include "passes/TrainingCpuCalls.h"
#include "passes/TrainingSpecs.h"

#include "dialect/IR/Checks.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

namespace {

/// One op, and what its calls need.
struct OpCalls {
  IRRewriter &rewriter;
  ModuleOp kernels;
  const cpu::Isa &isa;
  Operation *op;

  template <typename Spec> kernel::Kernel emit(const Spec &spec) const { return getOrEmit(kernels, isa, spec); }

  /// A call of all operands, after the starts of these rows, and of all results.
  bool rowwise(Value rowsLike, const kernel::Kernel &kernel) const {
    KernelCall call(rewriter, op);
    call.start(rowsOf(rowsLike)).in(op->getOperands());
    call.out(op->getResultTypes()).replace(kernel);
    return true;
  }

  bool lowerMap() const;
  bool lowerNorm() const;
  bool lowerColumnSum(ColumnSumOp sum) const;
  bool lowerCombination() const;
  bool lowerScatter(ScatterOp scatter) const;
  bool lowerRope(RopeOp rope) const;
  Value ropeAngles(RopeOp rope) const;
  bool lowerOptimizer() const;
  bool lowerSquaredNorm(SquaredNormOp norm) const;
};

} // namespace

//===----------------------------------------------------------------------===//
// Row by row
//===----------------------------------------------------------------------===//

bool OpCalls::lowerMap() const {
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](ActivateOp activate) {
        cpu::ActivateSpec spec{columnsOf(activate.getInput()), activationOf(activate)};
        return rowwise(activate.getResult(), emit(spec));
      })
      .Case([&](GluOp glu) {
        return rowwise(glu.getResult(), emit(cpu::GluSpec{columnsOf(glu.getGate()), activationOf(glu)}));
      })
      .Case([&](ActivateGradOp grad) {
        return rowwise(grad.getInput(), emit(cpu::ActivateGradSpec{columnsOf(grad.getInput()), activationOf(grad)}));
      })
      .Case([&](GluGradOp grad) {
        return rowwise(grad.getGate(), emit(cpu::GluGradSpec{columnsOf(grad.getGate()), activationOf(grad)}));
      })
      .Default(false);
}

bool OpCalls::lowerNorm() const {
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](NormGradOp grad) {
        auto kind = grad.getKind() == NormKind::RMS ? cpu::NormKind::RMS : cpu::NormKind::Layer;
        cpu::NormGradSpec spec{columnsOf(grad.getInput()), kind, grad.getEps().convertToDouble(),
                               int64_t(grad.getGroups()), grad.getUnitOffset()};
        return rowwise(grad.getInput(), emit(spec));
      })
      .Case([&](GatedNormGradOp grad) {
        cpu::GatedNormGradSpec spec{columnsOf(grad.getInput()), int64_t(grad.getGroups()),
                                    grad.getEps().convertToDouble()};
        return rowwise(grad.getInput(), emit(spec));
      })
      .Default(false);
}

bool OpCalls::lowerColumnSum(ColumnSumOp sum) const {
  if (elementOf(sum.getInput()).isF64() && !elementOf(sum.getResult()).isF64()) {
    return false;
  }
  cpu::ColumnSumSpec spec{columnsOf(sum.getInput()), scalarOf(sum.getInput()), scalarOf(sum.getResult())};
  KernelCall(rewriter, op)
      .in(sum.getLeaves())
      .start(rowsOf(sum.getInput()))
      .in(sum.getInput())
      .out(sum.getResult().getType())
      .replace(emit(spec));
  return true;
}

//===----------------------------------------------------------------------===//
// Modes and the residual stream
//===----------------------------------------------------------------------===//

bool OpCalls::lowerScatter(ScatterOp scatter) const {
  cpu::ScatterSpec spec{columnsOf(scatter.getResult()), static_cast<int64_t>(scatter.getPieces().size())};
  KernelCall call(rewriter, op);
  call.start(scatter.getTo());
  for (auto [piece, rows] : llvm::zip_equal(scatter.getPieces(), scatter.getFrom())) {
    call.rows(rows).in(piece);
  }
  call.out(scatter.getResult().getType()).replace(emit(spec));
  return true;
}

bool OpCalls::lowerCombination() const {
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](CombineGradOp grad) {
        cpu::CombineGradSpec spec{columnsOf(grad.getDresult()), modeIndices(grad.getModes())};
        return rowwise(grad.getDgate(), emit(spec));
      })
      .Case([&](SoftCombineOp combine) {
        cpu::SoftCombineSpec spec{columnsOf(combine.getResidual()),
                                  presence(combine.getModes(), combine.getOutputModes())};
        return rowwise(combine.getResidual(), emit(spec));
      })
      .Case([&](SoftCombineGradOp grad) {
        cpu::SoftCombineGradSpec spec{columnsOf(grad.getDresult()), presence(grad.getModes(), grad.getOutputModes())};
        return rowwise(grad.getDlogP(), emit(spec));
      })
      .Default(false);
}

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

/// The angles of the step, made once at its start for all embeddings of the same frequencies.
Value OpCalls::ropeAngles(RopeOp rope) const {
  kernel::Kernel kernel = emit(cpu::RopeAnglesSpec{std::vector<double>(rope.getFrequencies())});
  for (auto call : op->getBlock()->getOps<CallOp>()) {
    if (call.getKernel() == kernel.symbol) {
      return call->getResult(0);
    }
  }
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(op->getBlock());
  int64_t rotated = 2 * static_cast<int64_t>(rope.getFrequencies().size());
  return KernelCall(rewriter, op)
      .start(stepArgument(op->getParentOfType<func::FuncOp>(), "rows"))
      .out(RankedTensorType::get({ShapedType::kDynamic, rotated}, rewriter.getF32Type()))
      .emit(kernel)
      .front();
}

bool OpCalls::lowerRope(RopeOp rope) const {
  if (!stepArgument(op->getParentOfType<func::FuncOp>(), "rows")) {
    return false;
  }
  auto [x, view] = CpuCalls::columns(rope.getInput());
  int64_t heads = rope.getHeads();
  cpu::RopeTurnSpec spec{heads, columnsOf(rope.getInput()) / heads, 2 * int64_t(rope.getFrequencies().size()), view,
                         rope.getInverse()};
  Value angles = ropeAngles(rope);
  KernelCall(rewriter, op).rows(rope.getRows()).in({angles, x}).out(rope.getResult().getType()).replace(emit(spec));
  return true;
}

//===----------------------------------------------------------------------===//
// The optimizer
//===----------------------------------------------------------------------===//

/// Partial sums of each gradient, added one after the other to the total.
bool OpCalls::lowerSquaredNorm(SquaredNormOp norm) const {
  Value total;
  for (Value gradient : norm.getGradients()) {
    int64_t elements = elementsOf(gradient);
    kernel::Kernel squares = emit(cpu::SumSquaresSpec{elements});
    int64_t blocks = squares.grid.constant;
    Value partial = KernelCall(rewriter, op)
                        .in(gradient)
                        .out(RankedTensorType::get({blocks}, rewriter.getF64Type()))
                        .constant(elements)
                        .emit(squares)[0];
    KernelCall add(rewriter, op);
    add.in(partial);
    total ? add.update(total) : add.out(norm.getResult().getType());
    total = add.constant(blocks).emit(getOrEmit(kernels, ref::AddPartialsSpec{/*first=*/!total}))[0];
  }
  rewriter.replaceOp(op, total);
  return true;
}

bool OpCalls::lowerOptimizer() const {
  auto inF32 = [](Value gradient) { return elementOf(gradient).isF32(); };
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](SquaredNormOp norm) { return llvm::all_of(norm.getGradients(), inF32) && lowerSquaredNorm(norm); })
      .Case([&](AdamWOp adamw) {
        if (!inF32(adamw.getGradient())) {
          return false;
        }
        int64_t elements = elementsOf(adamw.getGradient());
        KernelCall(rewriter, op)
            .in({adamw.getHyper(), adamw.getNorm(), adamw.getGradient()})
            .update(adamw.getMaster())
            .update(adamw.getMoment1())
            .update(adamw.getMoment2())
            .constant(elements)
            .emit(emit(cpu::AdamWSpec{elements, adamw.getDecays(), adamw.getRouter()}));
        rewriter.eraseOp(op);
        return true;
      })
      .Default(false);
}

bool chimera::hasF64(Operation *op) {
  auto isF64 = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.getElementType().isF64();
  };
  return llvm::any_of(op->getOperandTypes(), isF64) || llvm::any_of(op->getResultTypes(), isF64);
}

bool TrainingCpuCalls::lowerRowwise(Operation *op) {
  OpCalls calls{rewriter, kernels, isa, op};
  if (auto sum = dyn_cast<ColumnSumOp>(op)) {
    return calls.lowerColumnSum(sum);
  }
  if (llvm::isa<SquaredNormOp, AdamWOp>(op)) {
    return calls.lowerOptimizer();
  }
  if (hasF64(op)) {
    return false;
  }
  if (auto scatter = dyn_cast<ScatterOp>(op)) {
    return calls.lowerScatter(scatter);
  }
  if (auto rope = dyn_cast<RopeOp>(op)) {
    return calls.lowerRope(rope);
  }
  return calls.lowerMap() || calls.lowerNorm() || calls.lowerCombination();
}
