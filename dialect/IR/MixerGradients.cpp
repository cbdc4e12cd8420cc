// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The vector-Jacobian products of attention, convolution and scans over whole sequences.

#include "dialect/IR/Adjoints.h"
#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

static RankedTensorType rowsOfType(int64_t columns, Type element) {
  return RankedTensorType::get({ShapedType::kDynamic, columns}, element);
}

void SeqAttendOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  Value d = adjoints.of(getResult());
  if (!d) {
    return;
  }
  Location loc = getLoc();
  Type entries = rowsOfType(columnsOf(getKey()), elementOf(d));
  SmallVector<Type> ownTypes(getOwnEntry().size(), entries);
  auto query = builder.create<SeqAttendQueryGradOp>(loc, d.getType(), getLse().getType(), ownTypes, getQuery(),
                                                    getKey(), getValue(), getWrite(), getOwnEntry(), getResult(),
                                                    getLse(), d, getOwn(), getKeys(), getKvHeads(), getHeadDim(),
                                                    getWindow(), getScale(), getSoftCapAttr());
  Type write = getWrite() ? getWrite().getType() : Type();
  auto key =
      builder.create<SeqAttendKeyGradOp>(loc, entries, entries, write, getQuery(), getKey(), getValue(), getWrite(),
                                         getLse(), query.getDelta(), d, getOwn(), getKeys(), getKvHeads(), getHeadDim(),
                                         getWindow(), getScale(), getSoftCapAttr(), !getOwnEntry().empty());
  adjoints.add(getQuery(), query.getDquery());
  adjoints.add(getKey(), key.getDkey());
  adjoints.add(getValue(), key.getDvalue());
  if (getWrite()) {
    adjoints.add(getWrite(), key.getDwrite());
  }
  for (auto [entry, gradient] : llvm::zip_equal(getOwnEntry(), query.getDownEntry())) {
    adjoints.add(entry, gradient);
  }
}

void SeqConvOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  Value d = adjoints.of(getResult());
  if (!d) {
    return;
  }
  Location loc = getLoc();
  if (getActivation() != Activation::None) {
    d = builder.create<SeqConvActivationGradOp>(loc, d.getType(), getInput(), getWeight(), getBias(), getKept(),
                                                getKeptRows(), d, getRows());
  }
  auto input = builder.create<SeqConvInputGradOp>(loc, d.getType(), getKept() ? d.getType() : Type(), d, getWeight(),
                                                  getKeptRows(), getRows());
  auto weight = builder.create<SeqConvWeightGradOp>(loc, getWeight().getType(), getBias().getType(), d, getInput(),
                                                    getKept(), getKeptRows(), getRows(), adjoints.leaves);
  adjoints.add(getInput(), input.getDinput());
  if (getKept()) {
    adjoints.add(getKept(), input.getDkept());
  }
  adjoints.add(getWeight(), weight.getDweight());
  adjoints.add(getBias(), weight.getDbias());
}

void SeqSsmScanOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  Value d = adjoints.of(getResult());
  if (!d) {
    return;
  }
  Location loc = getLoc();
  Type heads = getDt().getType(), write = getWrite() ? getWrite().getType() : Type();
  auto grad =
      builder.create<SeqSsmScanGradOp>(loc, getXbc().getType(), heads, heads, heads, write, getXbc(), getDt(),
                                       getALog(), getSkip(), getDtBias(), getWrite(), getMode(), getStates(), d,
                                       getRows(), getHeads(), getDim(), getSize(), getGroups(), getDtMin(), getDtMax());
  adjoints.add(getXbc(), grad.getDxbc());
  adjoints.add(getDt(), grad.getDdt());
  adjoints.add(getDtBias(), adjoints.sumRows(loc, grad.getDdt()));
  adjoints.add(getALog(), adjoints.sumRows(loc, grad.getDrate()));
  adjoints.add(getSkip(), adjoints.sumRows(loc, grad.getDskip()));
  if (getWrite()) {
    adjoints.add(getWrite(), grad.getDwrite());
  }
}

void SeqLtiScanOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  Value d = adjoints.of(getResult());
  if (!d) {
    return;
  }
  Type write = getWrite() ? getWrite().getType() : Type();
  auto grad = builder.create<SeqLtiScanGradOp>(getLoc(), getInput().getType(), getInput().getType(), write, getInput(),
                                               getDecay(), getWrite(), getMode(), getResult(), d, getRows());
  adjoints.add(getInput(), grad.getDinput());
  adjoints.add(getDecay(), adjoints.sumRows(getLoc(), grad.getDdecayRows()));
  if (getWrite()) {
    adjoints.add(getWrite(), grad.getDwrite());
  }
}
