// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-lower-to-cpu: every op becomes a launch of a cpu kernel, or of a ref kernel where there is none.

#include "dialect/IR/Attributes.h"
#include "passes/CpuCalls.h"
#include "passes/Passes.h"
#include "passes/PhaseArguments.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace chimera {
#define GEN_PASS_DEF_LOWERTOCPU
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;

namespace {
struct LowerToCpu : chimera::impl::LowerToCpuBase<LowerToCpu> {
  using LowerToCpuBase::LowerToCpuBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    std::optional<cpu::Isa> known = cpu::isaNamed(isa.getValue());
    if (!known) {
      module.emitError("unknown ISA '") << isa.getValue() << "'";
      return signalPassFailure();
    }
    std::optional<cpu::WeightFormat> quantised;
    if (weights == "int8") {
      quantised = cpu::WeightFormat::I8;
    } else if (weights == "int4") {
      quantised = cpu::WeightFormat::I4;
    } else if (weights != "same") {
      module.emitError("weights must be 'same', 'int8' or 'int4', got '") << weights.getValue() << "'";
      return signalPassFailure();
    }
    module->setAttr(ir::attrs::cacheBlock, Builder(module).getI64IntegerAttr(cpu::blockEntries));
    IRRewriter rewriter(&getContext());
    auto begin = [&](func::FuncOp phase, ModuleOp kernels, const PhaseArguments &arguments) -> LowerOp {
      CpuTarget target{*known, quantised, phase->hasAttr(ir::attrs::singleRows), phase->hasAttr(ir::attrs::training)};
      auto calls = std::make_shared<CpuCalls>(rewriter, kernels, target, arguments);
      return [calls](Operation *op) { return calls->lower(op); };
    };
    if (failed(lowerPhases(module, begin))) {
      signalPassFailure();
    }
  }
};
} // namespace
