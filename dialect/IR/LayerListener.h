// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Carries chimera.layer from the ops that a pass replaces to those that it makes.

#ifndef CHIMERA_DIALECT_IR_LAYER_LISTENER_H
#define CHIMERA_DIALECT_IR_LAYER_LISTENER_H

#include "dialect/IR/Attributes.h"
#include "dialect/IR/Dialect.h"

#include "mlir/IR/PatternMatch.h"

namespace chimera::ir {

/// Gives each op of the dialect that its builder makes the layer that was named last. Ops that are moved or copied keep
/// theirs.
class LayerListener : public mlir::RewriterBase::Listener {
public:
  /// What is made from now on stands for `op`, and belongs to its layer; null: to none.
  void follow(mlir::Operation *op) { layer = op ? layerOf(op) : -1; }
  /// What is made from now on belongs to layer `index`; -1: to none.
  void enter(int64_t index) { layer = index; }

  void notifyOperationInserted(mlir::Operation *op, mlir::OpBuilder::InsertPoint previous) override {
    bool isNew = !previous.isSet() && !op->hasAttr(attrs::layer);
    if (isNew && llvm::isa_and_nonnull<ChimeraDialect>(op->getDialect())) {
      setLayer(op, layer);
    }
  }

private:
  int64_t layer = -1;
};

} // namespace chimera::ir

#endif // CHIMERA_DIALECT_IR_LAYER_LISTENER_H
