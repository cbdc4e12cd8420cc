// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-specialize-phases: one function a phase from the model.

#include "dialect/IR/Attributes.h"
#include "passes/Passes.h"
#include "passes/Phase.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace chimera {
#define GEN_PASS_DEF_SPECIALIZEPHASES
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;

namespace {
struct SpecializePhases : chimera::impl::SpecializePhasesBase<SpecializePhases> {
  using SpecializePhasesBase::SpecializePhasesBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto model = module.lookupSymbol<func::FuncOp>("model");
    if (!model || model.isExternal()) {
      module.emitError("has no function @model to specialise");
      return signalPassFailure();
    }
    if (maxTokens < 1 || maxSeqs < 1 || maxSeqs > maxTokens) {
      module.emitError("a step must hold at least one sequence, and a row for each: got max-tokens ")
          << maxTokens.getValue() << " and max-seqs " << maxSeqs.getValue();
      return signalPassFailure();
    }
    if (failed(checkSymbolFree(module, "prefill")) || failed(checkSymbolFree(module, "decode"))) {
      return signalPassFailure();
    }
    OpBuilder builder(model);
    addPhase(builder, model, "prefill", maxTokens);
    func::FuncOp decode = addPhase(builder, model, "decode", maxSeqs);
    decode->setAttr(chimera::ir::attrs::singleRows, builder.getUnitAttr());
    model.erase();
  }

  /// A copy of the model for steps of at most `tokens` rows.
  func::FuncOp addPhase(OpBuilder &builder, func::FuncOp model, StringRef name, int64_t tokens) {
    auto phase = cast<func::FuncOp>(builder.clone(*model));
    phase.setName(name);
    phase->setAttr(chimera::ir::attrs::limits, builder.getDenseI64ArrayAttr({tokens, maxSeqs}));
    return phase;
  }
};
} // namespace
