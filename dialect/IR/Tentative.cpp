// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tentative forms of ops that look back: each row sees the kept rows before it, and itself.

#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// The entries of `value`, one a row of the batch, that are kept.
static Value keptEntries(RewriterBase &rewriter, Location loc, Value value, const TentativeRows &rows) {
  return rewriter.create<GatherOp>(loc, value.getType(), value, rows.batch, rows.kept());
}

LogicalResult SeqAttendOp::makeTentative(RewriterBase &rewriter, const TentativeRows &rows) {
  Value key = getKey(), value = getValue();
  Value keptKey = keptEntries(rewriter, getLoc(), key, rows), keptValue = keptEntries(rewriter, getLoc(), value, rows);
  rewriter.replaceOpWithNewOp<SeqAttendOp>(*this, getResult().getType(), getLse().getType(), getQuery(), keptKey,
                                           keptValue, Value(), ValueRange{key, value}, getOwn(), rows.kept(),
                                           getKvHeads(), getHeadDim(), getWindow(), getScale(), getSoftCapAttr());
  return success();
}

LogicalResult SeqConvOp::makeTentative(RewriterBase &rewriter, const TentativeRows &rows) {
  if (columnsOf(getWeight()) > 1) {
    Value input = keptEntries(rewriter, getLoc(), getInput(), rows);
    rewriter.replaceOpWithNewOp<SeqConvOp>(*this, getResult().getType(), getInput(), getWeight(), getBias(), input,
                                           rows.kept(), getRows(), getActivation());
  }
  return success();
}

LogicalResult SeqSsmScanOp::makeTentative(RewriterBase &rewriter, const TentativeRows &rows) {
  rewriter.modifyOpInPlace(*this, [&] { getModeMutable().assign(rows.mode); });
  return success();
}

LogicalResult SeqLtiScanOp::makeTentative(RewriterBase &rewriter, const TentativeRows &rows) {
  rewriter.modifyOpInPlace(*this, [&] { getModeMutable().assign(rows.mode); });
  return success();
}
