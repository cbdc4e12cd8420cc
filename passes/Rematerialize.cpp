// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-rematerialize: computes again, in the backward half, what would take too much memory to keep.

#include "dialect/IR/Attributes.h"
#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"
#include "passes/ArenaPlanner.h"
#include "passes/Passes.h"
#include "passes/Phase.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

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
  Rematerialization(func::FuncOp program, const StepLimits &limits, int64_t limit)
      : program(program), block(program.getBody().front()), limits(limits), limit(limit) {}

  /// Fails with a diagnostic.
  LogicalResult run();

private:
  /// Ops to compute again, in order, the bytes that this frees at the peak, and what it costs.
  struct Cone {
    SmallVector<Operation *> ops;
    int64_t saving = 0;
    double cost = 0;

    double worth() const { return static_cast<double>(saving) / cost; }
  };

  void number();
  LogicalResult measure();
  int64_t bytesOf(Value value) const;
  int64_t lastUse(Value value) const;
  int64_t findPeak();
  bool mayRepeat(Operation *op) const;
  double costOf(Operation *op) const;
  Cone coneOf(Operation *op, int64_t peak) const;
  Operation *firstUserAfter(Operation *op, int64_t position) const;
  Operation *again(Operation *op, Operation *user, IRMapping &mapping);
  void repeat(Operation *op, const Cone &cone, int64_t peak);

  func::FuncOp program;
  Block &block;
  StepLimits limits;
  int64_t limit;
  SmallVector<Operation *> ops;
  DenseMap<Operation *, int64_t> place;
  int64_t loss = 0;      ///< the place where the forward half ends
  int64_t peakBytes = 0; ///< at the place that findPeak gave
  int64_t repeated = 0;
  DenseMap<Operation *, SmallVector<Operation *>> copies;
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

/// True for a tensor in the arena; parameters live elsewhere.
static bool isInArena(Value value) {
  return isa<RankedTensorType>(value.getType()) && value.getDefiningOp() && !isa<ParamOp>(value.getDefiningOp());
}

/// Every tensor in the arena has a size at the program's limits, and their sum can be reckoned with, also if all are
/// computed again.
LogicalResult Rematerialization::measure() {
  int64_t total = 0;
  for (Operation &op : block) {
    for (OpResult result : op.getResults()) {
      FailureOr<int64_t> bytes = isInArena(result) ? resultBytes(result, limits) : 0;
      if (failed(bytes)) {
        return failure();
      }
      total += *bytes;
      if (total > mostPhaseBytes) {
        return op.emitOpError("with the tensors before it is too large at ") << limits.maxTokens << " rows a run";
      }
    }
  }
  return success();
}

/// Of a tensor in the arena, at the program's limits; 0 for what lives elsewhere.
int64_t Rematerialization::bytesOf(Value value) const {
  return isInArena(value) ? llvm::alignTo(*resultBytes(cast<OpResult>(value), limits), arenaAlignment) : 0;
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
  return isa<NormOp, GatedNormOp, LinearOp, CastOp, AddOp, AddBiasOp, ScaleOp, ScaleColumnsOp, SoftCapOp, ActivateOp,
             GluOp, ColumnsOp, GatherOp, RopeOp, EmbedOp, SeqConvOp, SeqAttendOp, SeqSsmScanOp, SeqLtiScanOp, CombineOp,
             SoftCombineOp, AddExpertOp, ZerosOp, RoundParamOp>(op);
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

/// What must be computed again, in order, to have the results of `op` after `peak`: it, and what made its operands,
/// back to what is kept anyway. Operands that cannot be made again have to be kept longer.
Rematerialization::Cone Rematerialization::coneOf(Operation *op, int64_t peak) const {
  Cone cone;
  for (Value result : op->getResults()) {
    bool neededAt = llvm::any_of(result.getUsers(), [&](Operation *user) { return place.lookup(user) == peak; });
    cone.saving += lastUse(result) > peak && !neededAt ? bytesOf(result) : 0;
  }
  if (cone.saving == 0) {
    return cone;
  }
  llvm::SetVector<Operation *> found;
  found.insert(op);
  for (size_t i = 0; i < found.size(); ++i) {
    cone.cost += costOf(found[i]);
    for (Value operand : found[i]->getOperands()) {
      Operation *maker = operand.getDefiningOp();
      if (!maker || isa<ParamOp>(maker) || lastUse(operand) > peak || found.contains(maker)) {
        continue;
      }
      if (mayRepeat(maker)) {
        found.insert(maker);
      } else {
        cone.saving -= bytesOf(operand);
      }
    }
  }
  cone.ops.assign(found.begin(), found.end());
  llvm::sort(cone.ops, [&](Operation *a, Operation *b) { return place.lookup(a) < place.lookup(b); });
  return cone;
}

/// The op itself, again: a copy that is there already where `user` can see it, or a new one before `user`.
Operation *Rematerialization::again(Operation *op, Operation *user, IRMapping &mapping) {
  for (Operation *copy : copies[op]) {
    if (place.count(copy) && place.lookup(copy) < place.lookup(user)) {
      return copy;
    }
  }
  OpBuilder builder(user);
  Operation *copy = builder.clone(*op, mapping);
  // The number keeps equal ops apart, which would be made one again.
  copy->setAttr(attrs::recomputed, builder.getI64IntegerAttr(repeated++));
  copies[op].push_back(copy);
  return copy;
}

/// Computes the last op of the cone again for its uses after `peak`.
void Rematerialization::repeat(Operation *op, const Cone &cone, int64_t peak) {
  Operation *user = firstUserAfter(op, std::max(peak, loss));
  IRMapping mapping;
  for (Operation *part : cone.ops) {
    Operation *copy = again(part, user, mapping);
    mapping.map(part->getResults(), copy->getResults());
  }
  for (Value old : op->getResults()) {
    old.replaceUsesWithIf(mapping.lookup(old), [&](OpOperand &use) {
      auto found = place.find(use.getOwner());
      return found != place.end() && found->second >= place.lookup(user) && !isa<func::ReturnOp>(use.getOwner());
    });
  }
}

LogicalResult Rematerialization::run() {
  if (failed(measure())) {
    return failure();
  }
  int64_t least = -1;
  for (;;) {
    number();
    int64_t peak = findPeak();
    if (peakBytes <= limit) {
      return success();
    }
    least = least < 0 ? peakBytes : std::min(least, peakBytes);
    Operation *best = nullptr;
    Cone bestCone;
    // Not what is a repetition itself: so every op is repeated a bounded number of times.
    for (Operation *op : ArrayRef(ops).take_front(std::min(peak, loss))) {
      if (!mayRepeat(op) || !firstUserAfter(op, std::max(peak, loss))) {
        continue;
      }
      Cone cone = coneOf(op, peak);
      if (cone.saving > 0 && (!best || cone.worth() > bestCone.worth())) {
        best = op;
        bestCone = std::move(cone);
      }
    }
    if (!best) {
      return emitError(program.getLoc(), "program '")
             << program.getName() << "' needs at least " << least << " bytes for a run of " << limits.maxTokens
             << " rows, more than the memory limit of " << limit;
    }
    repeat(best, bestCone, peak);
  }
}

namespace {
struct Rematerialize : chimera::impl::RematerializeBase<Rematerialize> {
  using RematerializeBase::RematerializeBase;

  void runOnOperation() override {
    func::FuncOp program = getOperation();
    if (!program->hasAttr(attrs::differentiate) || memoryLimit <= 0) {
      return;
    }
    FailureOr<StepLimits> limits = phaseLimits(program);
    if (failed(limits) || failed(phaseReturn(program)) ||
        failed(Rematerialization(program, *limits, memoryLimit).run())) {
      signalPassFailure();
    }
  }
};
} // namespace
