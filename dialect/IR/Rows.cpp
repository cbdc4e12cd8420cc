// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which rows a tensor has.

#include "dialect/IR/Attributes.h"
#include "dialect/IR/Ops.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// The rows of a block argument: a mixer's tokens and write weights are of the seen rows; a model's tokens and forced
/// modes of its batch, the argument marked `chimera.step = "rows"`.
static Value rowsOfArgument(BlockArgument argument) {
  Operation *parent = argument.getOwner()->getParentOp();
  if (isa_and_nonnull<MixOp>(parent)) {
    return argument.getOwner()->getArgument(1);
  }
  if (auto function = dyn_cast_or_null<func::FuncOp>(parent)) {
    for (BlockArgument other : function.getArguments()) {
      if (stepNameOf(function, other.getArgNumber()) == "rows") {
        return other;
      }
    }
  }
  return nullptr;
}

/// True if `def` comes before `user`, where a verifier has been already. (Ops of a graph region may use each other in a
/// circle.)
static bool comesBefore(Operation *def, Operation *user) {
  Block *block = def->getBlock();
  if (Operation *ancestor = block->findAncestorOpInBlock(*user)) {
    return def->isBeforeInBlock(ancestor);
  }
  return block->isEntryBlock() && block->getParent() == user->getParentRegion();
}

Value ir::rowsOf(Value tensor, Operation *user) {
  // Chains are as long as the model is deep, so this walks instead of recursing.
  while (tensor && !isa<RowsType>(tensor.getType())) {
    if (auto argument = dyn_cast<BlockArgument>(tensor)) {
      return rowsOfArgument(argument);
    }
    if (user && !comesBefore(tensor.getDefiningOp(), user)) {
      return nullptr;
    }
    if (auto dispatch = tensor.getDefiningOp<DispatchOp>()) {
      return dispatch.getRows();
    }
    auto ragged = tensor.getDefiningOp<RaggedOpInterface>();
    if (!ragged) {
      return nullptr;
    }
    user = user ? ragged.getOperation() : nullptr;
    tensor = ragged.getRowSourceOf(cast<OpResult>(tensor).getResultNumber());
  }
  return tensor;
}
