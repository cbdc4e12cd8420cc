// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-rematerialize: computes again, in the backward half, what would take too much memory to keep.

#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

namespace chimera {
#define GEN_PASS_DEF_REMATERIALIZE
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

namespace {

/// Trades memory for time in one program, one op at a time.
class Rematerialization {
public:
  Rematerialization(func::FuncOp program, int64_t limit)
      : program(program), block(program.getBody().front()), limit(limit),
        rows(program->getAttrOfType<DenseI64ArrayAttr>("chimera.limits")[0]) {}

  LogicalResult run();

private:
  void number();
  int64_t bytesOf(Value value) const;
  int64_t lastUse(Value value) const;
  int64_t findPeak();
  bool mayRepeat(Operation *op) const;
  double costOf(Operation *op) const;
  int64_t savingAt(Operation *op, int64_t peak) const;
  Operation *firstUserAfter(Operation *op, int64_t position) const;
  void repeat(Operation *op);

  func::FuncOp program;
  Block &block;
  int64_t limit, rows;
  SmallVector<Operation *> ops;
  DenseMap<Operation *, int64_t> place;
  int64_t loss = 0;      ///< the place where the forward half ends
  int64_t peakBytes = 0; ///< at the place that findPeak gave
  int64_t repeated = 0;
};

} // namespace

void Rematerialization::number() {
  ops.clear();
  place.clear();
  for (Operation &op : block) {
    place[&op] = static_cast<int64_t>(ops.size());
    if (isa<CrossEntropyOp>(op)) {
      loss = static_cast<int64_t>(ops.size());
    }
    ops.push_back(&op);
  }
}

/// Of a tensor in the arena, at the program's limits; 0 for what lives elsewhere.
int64_t Rematerialization::bytesOf(Value value) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !value.getDefiningOp() || isa<ParamOp>(value.getDefiningOp())) {
    return 0;
  }
  int64_t elements = 1;
  for (int64_t size : type.getShape()) {
    elements *= ShapedType::isDynamic(size) ? rows : size;
  }
  return (elements * elementBytes(type.getElementType()) + 63) / 64 * 64;
}

int64_t Rematerialization::lastUse(Value value) const {
  int64_t last = value.getDefiningOp() ? place.lookup(value.getDefiningOp()) : 0;
  for (Operation *user : value.getUsers()) {
    // Gradients are returned from buffers of their own: the return keeps nothing in the arena.
    if (!isa<func::ReturnOp>(user)) {
      last = std::max(last, place.lookup(user));
    }
  }
  return last;
}

/// The place where most bytes are live.
int64_t Rematerialization::findPeak() {
  SmallVector<int64_t> change(ops.size() + 1, 0);
  for (Operation *op : ops) {
    for (Value result : op->getResults()) {
      bool returned = llvm::all_of(result.getUsers(), [](Operation *user) { return isa<func::ReturnOp>(user); });
      int64_t bytes = returned ? 0 : bytesOf(result);
      change[place[op]] += bytes;
      change[lastUse(result) + 1] -= bytes;
    }
  }
  int64_t live = 0, peak = 0;
  peakBytes = -1;
  for (size_t i = 0; i < ops.size(); ++i) {
    live += change[i];
    if (live > peakBytes) {
      peakBytes = live;
      peak = static_cast<int64_t>(i);
    }
  }
  return peak;
}

/// Ops of the forward half whose results are a function of tensors alone; routing, which decides, is done once.
bool Rematerialization::mayRepeat(Operation *op) const {
  return isa<NormOp, GatedNormOp, LinearOp, CastOp, AddOp, SiluOp, SwigluOp, ColumnsOp, GatherOp, RopeOp, EmbedOp,
             SeqConvOp, SeqAttendOp, SeqSsmScanOp, SeqLtiScanOp, CombineOp, SoftCombineOp, RoundParamOp>(op);
}

/// What it takes to compute an op again, in elements read, written and multiplied.
double Rematerialization::costOf(Operation *op) const {
  double cost = 0;
  for (Value result : op->getResults()) {
    cost += static_cast<double>(bytesOf(result)) / 4;
  }
  if (auto linear = dyn_cast<LinearOp>(op)) {
    return cost * static_cast<double>(columnsOf(linear.getInput())) / 8;
  }
  if (isa<SeqAttendOp>(op)) {
    return cost * 64;
  }
  return isa<SeqSsmScanOp>(op) ? cost * 16 : cost;
}

/// The first op after `position` that uses a result of `op`; null without one.
Operation *Rematerialization::firstUserAfter(Operation *op, int64_t position) const {
  Operation *first = nullptr;
  for (Operation *user : op->getUsers()) {
    int64_t at = place.lookup(user);
    if (at > position && !isa<func::ReturnOp>(user) && (!first || at < place.lookup(first))) {
      first = user;
    }
  }
  return first;
}

/// The bytes that are free at `peak` if `op`, which comes before, is computed again after it.
int64_t Rematerialization::savingAt(Operation *op, int64_t peak) const {
  Operation *user = firstUserAfter(op, std::max(peak, loss));
  if (!user) {
    return 0;
  }
  int64_t saving = 0;
  for (Value result : op->getResults()) {
    bool neededAt = llvm::any_of(result.getUsers(), [&](Operation *other) { return place.lookup(other) == peak; });
    saving += lastUse(result) >= peak && !neededAt ? bytesOf(result) : 0;
  }
  for (Value operand : op->getOperands()) {
    saving -= lastUse(operand) < peak ? bytesOf(operand) : 0;
  }
  return saving;
}

/// Computes `op` again before its first use in the backward half, for all its uses there.
void Rematerialization::repeat(Operation *op) {
  int64_t peak = findPeak();
  Operation *user = firstUserAfter(op, std::max(peak, loss));
  OpBuilder builder(user);
  Operation *again = builder.clone(*op);
  // The number keeps equal ops apart, which would be made one again.
  again->setAttr("chimera.recomputed", builder.getI64IntegerAttr(repeated++));
  for (auto [old, fresh] : llvm::zip_equal(op->getResults(), again->getResults())) {
    old.replaceUsesWithIf(fresh, [&](OpOperand &use) {
      auto found = place.find(use.getOwner());
      return found != place.end() && found->second >= place.lookup(user) && !isa<func::ReturnOp>(use.getOwner());
    });
  }
}

LogicalResult Rematerialization::run() {
  int64_t least = -1;
  for (;;) {
    number();
    int64_t peak = findPeak();
    if (peakBytes <= limit) {
      return success();
    }
    least = least < 0 ? peakBytes : std::min(least, peakBytes);
    Operation *best = nullptr;
    double bestWorth = 0;
    for (Operation *op : ArrayRef(ops).take_front(peak)) {
      if (!mayRepeat(op)) {
        continue;
      }
      int64_t saving = savingAt(op, peak);
      double worth = saving > 0 ? static_cast<double>(saving) / costOf(op) : 0;
      if (worth > bestWorth) {
        best = op;
        bestWorth = worth;
      }
    }
    if (!best) {
      return program.emitOpError("needs at least ")
             << least << " bytes for a run of " << rows << " rows, more than the memory limit of " << limit;
    }
    repeat(best);
  }
}

namespace {
struct Rematerialize : chimera::impl::RematerializeBase<Rematerialize> {
  using RematerializeBase::RematerializeBase;

  void runOnOperation() override {
    if (getOperation()->hasAttr("chimera.differentiate") && memoryLimit > 0 &&
        failed(Rematerialization(getOperation(), memoryLimit).run())) {
      signalPassFailure();
    }
  }
};
} // namespace
