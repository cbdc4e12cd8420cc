// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-plan-arena: tensors become slices of one arena, functions launch tables.

#include "dialect/IR/Attributes.h"
#include "passes/ArenaPlanner.h"
#include "passes/ModelLayout.h"
#include "passes/Passes.h"
#include "passes/Phase.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace chimera {
#define GEN_PASS_DEF_PLANARENA
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

namespace {

/// Plans one phase and writes its program.
class PhasePlan {
public:
  PhasePlan(func::FuncOp phase, const ModelLayout &layout) : phase(phase), layout(layout) {}

  /// Writes the program before the phase. Fails with a diagnostic.
  LogicalResult write(OpBuilder &builder);

private:
  LogicalResult begin();
  LogicalResult collect();
  LogicalResult placeGradients();
  LogicalResult findExchange();
  SmallVector<std::pair<StringRef, Value>> results();
  bool training() { return phase->hasAttr(attrs::training); }
  void use(Value value, int64_t launch);
  LogicalResult overwrite(CallOp call);
  LogicalResult appendBuffers(CallOp call, int64_t number, SmallVectorImpl<Attribute> &buffers);
  LogicalResult appendArgument(BlockArgument argument, Location loc, bool lengthsOnly,
                               SmallVectorImpl<Attribute> &buffers);
  LogicalResult appendStepRows(BlockArgument rows, bool startOnly, SmallVectorImpl<Attribute> &buffers);
  Attribute arenaBuffer(Value value);
  IntegerAttr countOf(CallOp call, OpBuilder &builder);
  Attribute stepBuffer(StringRef name) { return buffer(BufferKind::Step, 0, 0, name); }
  Attribute buffer(BufferKind kind, int64_t index, int64_t bytes = 0, StringRef name = "") {
    return BufferAttr::get(phase.getContext(), kind, index, bytes, name);
  }
  StringRef stepName(BlockArgument argument) { return stepNameOf(phase, argument.getArgNumber()); }

  func::FuncOp phase;
  const ModelLayout &layout;
  StepLimits limits;
  func::ReturnOp terminator;
  SmallVector<CallOp> calls;
  SmallVector<ArenaRequest> requests;
  int64_t requestedBytes = 0;
  DenseMap<Value, size_t> requestOf;
  DenseMap<Value, int64_t> gradientOf; ///< the parameter of a value that is a gradient
  SmallVector<Value> parts;            ///< of gradients, which are added up from the launch `sumsFrom` on
  std::optional<int64_t> sumsFrom;
};

} // namespace

/// `value` is needed at `launch`. A slice of rows needs its arrays.
void PhasePlan::use(Value value, int64_t launch) {
  if (auto slice = value.getDefiningOp<SliceRowsOp>()) {
    use(slice.getIndex(), launch);
    use(slice.getStart(), launch);
  } else if (auto it = requestOf.find(value); it != requestOf.end()) {
    requests[it->second].last = std::max(requests[it->second].last, launch);
  }
}

/// The tensors that a call overwrites: their new versions take over their bytes.
LogicalResult PhasePlan::overwrite(CallOp call) {
  size_t own = call.getNumResults() - call.getUpdated().size();
  for (auto [index, result] : llvm::zip_equal(call.getUpdated(), call.getResults().drop_front(own))) {
    Value old = call.getInputs()[index];
    if (!isa<RankedTensorType>(old.getType()) || firstVersion(old).getDefiningOp<TrainingStateOp>()) {
      continue;
    }
    auto it = requestOf.find(old);
    if (it == requestOf.end()) {
      return call.emitOpError("overwrites input #") << index << ", which is not the result of a launch";
    }
    for (Operation *user : old.getUsers()) {
      if (user != call && !user->isBeforeInBlock(call)) {
        InFlightDiagnostic diag = call.emitOpError("overwrites a tensor that is still needed");
        diag.attachNote(user->getLoc()) << "here";
        return diag;
      }
    }
    requestOf[result] = it->second;
  }
  return success();
}

LogicalResult PhasePlan::collect() {
  for (Operation &op : phase.getBody().front()) {
    if (auto slice = dyn_cast<SliceRowsOp>(op)) {
      if (!requestOf.count(slice.getIndex()) || !requestOf.count(slice.getStart())) {
        return slice.emitOpError("its arrays must be results of launches");
      }
      continue;
    }
    if (auto state = dyn_cast<TrainingStateOp>(op); state && !layout.hasParameter(state.getName())) {
      return state.emitOpError("there is no parameter '") << state.getName() << "'";
    }
    auto call = dyn_cast<CallOp>(op);
    if (!call) {
      continue;
    }
    int64_t launch = static_cast<int64_t>(calls.size());
    calls.push_back(call);
    size_t own = call.getNumResults() - call.getUpdated().size();
    for (auto [i, result] : llvm::enumerate(call.getResults().take_front(own))) {
      if (gradientOf.count(result)) {
        continue;
      }
      bool starts = llvm::is_contained(call.getStarts(), static_cast<int64_t>(call.getInputs().size() + i));
      FailureOr<int64_t> bytes = resultBytes(call->getResult(i), limits, starts);
      if (failed(bytes)) {
        return failure();
      }
      requestedBytes += *bytes;
      if (requestedBytes > mostPhaseBytes) {
        return call.emitOpError("with the launches before it is too large at ") << limits.maxTokens << " rows a step";
      }
      requestOf[result] = requests.size();
      requests.push_back({*bytes, launch, launch});
    }
    for (Value input : call.getInputs()) {
      use(input, launch);
    }
    if (failed(overwrite(call))) {
      return failure();
    }
  }
  // The step's results are read after the last launch.
  for (auto [name, result] : results()) {
    if (!requestOf.count(result)) {
      return phase.emitOpError("its result '") << name << "' must be the result of a launch";
    }
    use(result, static_cast<int64_t>(calls.size()));
  }
  return success();
}

/// The results of the phase that are slices of the arena, by name.
SmallVector<std::pair<StringRef, Value>> PhasePlan::results() {
  SmallVector<std::pair<StringRef, Value>> results;
  for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
    auto name = phase.getResultAttrOfType<StringAttr>(i, attrs::result);
    if (!training() && i < 2) {
      results.push_back({i == 0 ? "logits" : "routing", value});
    } else if (name) {
      results.push_back({name.getValue(), value});
    }
  }
  return results;
}

/// Gradients of parameters live where the optimizer finds them, not in the arena.
LogicalResult PhasePlan::placeGradients() {
  for (unsigned i = 0; i < terminator->getNumOperands(); ++i) {
    Value value = terminator->getOperand(i);
    auto name = phase.getResultAttrOfType<StringAttr>(i, attrs::gradient);
    if (!name) {
      continue;
    }
    if (!layout.hasParameter(name)) {
      return phase.emitOpError("gives the gradient of '") << name.getValue() << "', which is no parameter";
    }
    auto maker = value.getDefiningOp<CallOp>();
    if (maker && gradientOf.count(value) && maker.getUpdated().empty()) {
      // Two parameters may have equal gradients, such as biases of mixers side by side: each has a launch of its own.
      OpBuilder builder(phase.getContext());
      builder.setInsertionPointAfter(maker);
      value = builder.clone(*maker)->getResult(cast<OpResult>(value).getResultNumber());
      terminator->setOperand(i, value);
    }
    if (!maker || !gradientOf.try_emplace(value, layout.parameter(name)).second) {
      return phase.emitOpError("the gradient of '") << name.getValue() << "' must be the result of a launch of its own";
    }
  }
  return success();
}

/// Where parts of gradients are added up: in the last launches, and nowhere else.
LogicalResult PhasePlan::findExchange() {
  auto isSum = [](CallOp call) { return call.getOp() == SumOp::getOperationName(); };
  for (auto [i, call] : llvm::enumerate(calls)) {
    if (!isSum(call)) {
      if (sumsFrom) {
        return call.emitOpError("comes after gradients were added up, which must come last");
      }
      continue;
    }
    sumsFrom = sumsFrom.value_or(static_cast<int64_t>(i));
    for (Value input : call.getInputs()) {
      auto maker = input.getDefiningOp<CallOp>();
      if (!requestOf.count(input) && !(maker && isSum(maker))) {
        return call.emitOpError("adds up what is not the result of a launch alone");
      }
      if (maker && !isSum(maker)) {
        parts.push_back(input);
      }
    }
  }
  return success();
}

Attribute PhasePlan::arenaBuffer(Value value) {
  const ArenaRequest &request = requests[requestOf.lookup(value)];
  return buffer(BufferKind::Arena, request.offset, request.bytes);
}

LogicalResult PhasePlan::appendStepRows(BlockArgument rows, bool startOnly, SmallVectorImpl<Attribute> &buffers) {
  StringRef name = stepName(rows);
  if (name != "rows" && name != "outputs") {
    return phase.emitOpError("argument #") << rows.getArgNumber() << " is rows but not \"rows\" or \"outputs\"";
  }
  bool outputs = name == "outputs";
  if (!startOnly) {
    buffers.push_back(stepBuffer(outputs ? "out_index" : "row_index"));
  }
  buffers.push_back(stepBuffer(outputs ? "out_start" : "seq_start"));
  return success();
}

/// The buffers of a function argument: a cache's pools (of a list perhaps the lengths alone), or an array of the step.
LogicalResult PhasePlan::appendArgument(BlockArgument argument, Location loc, bool lengthsOnly,
                                        SmallVectorImpl<Attribute> &buffers) {
  auto type = dyn_cast<CacheTypeInterface>(argument.getType());
  if (!type) {
    StringRef name = stepName(argument);
    if (name.empty()) {
      return emitError(loc) << "argument #" << argument.getArgNumber() << " has no chimera.step";
    }
    buffers.push_back(stepBuffer(name));
    return success();
  }
  auto arguments = cacheArguments(phase);
  const CachePlace &place = layout.cache(llvm::find(arguments, argument) - arguments.begin());
  if (place.table >= 0 && !lengthsOnly) {
    buffers.push_back(buffer(BufferKind::Pages, 0));
    buffers.push_back(buffer(BufferKind::Table, place.table));
  }
  for (size_t i = 0; i < type.getPools().size(); ++i) {
    buffers.push_back(buffer(BufferKind::Pool, place.firstPool + static_cast<int64_t>(i)));
  }
  return success();
}

static BufferKind bufferKindOf(StateKind kind) {
  switch (kind) {
  case StateKind::Master:
    return BufferKind::Param;
  case StateKind::Gradient:
    return BufferKind::Grad;
  case StateKind::Total:
    return BufferKind::Total;
  case StateKind::Moment1:
    return BufferKind::Moment1;
  case StateKind::Moment2:
    return BufferKind::Moment2;
  }
  llvm_unreachable("no such state");
}

/// The buffers of the call's value `number`: inputs, then results.
LogicalResult PhasePlan::appendBuffers(CallOp call, int64_t number, SmallVectorImpl<Attribute> &buffers) {
  int64_t inputs = static_cast<int64_t>(call.getInputs().size());
  Value value = number < inputs ? call.getInputs()[number] : call.getResults()[number - inputs];
  bool startOnly = llvm::is_contained(call.getStarts(), number);
  Value first = firstVersion(value);
  if (isa<CacheTypeInterface>(value.getType()) || first.getDefiningOp<TrainingStateOp>()) {
    value = first;
  }
  if (auto param = value.getDefiningOp<ParamOp>()) {
    buffers.push_back(buffer(BufferKind::Param, layout.parameter(param.getName())));
    return success();
  }
  if (auto pack = value.getDefiningOp<PackOp>()) {
    buffers.push_back(buffer(BufferKind::Packed, layout.packed(pack)));
    return success();
  }
  if (isa<RowsType>(value.getType())) {
    if (auto slice = value.getDefiningOp<SliceRowsOp>()) {
      if (!startOnly) {
        buffers.push_back(arenaBuffer(slice.getIndex()));
      }
      buffers.push_back(arenaBuffer(slice.getStart()));
    } else if (failed(appendStepRows(cast<BlockArgument>(value), startOnly, buffers))) {
      return failure();
    }
    if (!startOnly) {
      llvm::append_values(buffers, stepBuffer("row_position"), stepBuffer("row_sequence"), stepBuffer("seq_slot"));
    }
    return success();
  }
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    return appendArgument(argument, call.getLoc(), startOnly, buffers);
  }
  if (auto state = value.getDefiningOp<TrainingStateOp>()) {
    buffers.push_back(buffer(bufferKindOf(state.getKind()), layout.parameter(state.getName())));
    return success();
  }
  if (auto gradient = gradientOf.find(value); gradient != gradientOf.end()) {
    buffers.push_back(buffer(BufferKind::Grad, gradient->second));
    return success();
  }
  buffers.push_back(arenaBuffer(value));
  return success();
}

/// The buffer with the starts of the rows that a launch over a part of the batch walks: its first rows value; null for
/// the whole batch, and where the grid does not depend on rows.
IntegerAttr PhasePlan::countOf(CallOp call, OpBuilder &builder) {
  int64_t inputs = static_cast<int64_t>(call.getInputs().size());
  if (call.getGrid().getTokens() == 0) {
    return nullptr;
  }
  int64_t buffers = 0;
  for (int64_t number : call.getOrder()) {
    Value value = number < inputs ? call.getInputs()[number] : call.getResults()[number - inputs];
    if (isa<RowsType>(value.getType())) {
      bool startOnly = llvm::is_contained(call.getStarts(), number);
      auto argument = dyn_cast<BlockArgument>(value);
      bool batch = argument && stepName(argument) == "rows";
      return batch ? nullptr : builder.getI64IntegerAttr(buffers + (startOnly ? 0 : 1));
    }
    auto cache = dyn_cast<CacheTypeInterface>(value.getType());
    buffers += cache ? static_cast<int64_t>(cache.getPools().size()) + (isa<ListType>(value.getType()) ? 2 : 0) : 1;
  }
  return nullptr;
}

/// Finds out what any phase has: limits, and one block of launches whose return gives logits and routing.
LogicalResult PhasePlan::begin() {
  FailureOr<StepLimits> known = phaseLimits(phase);
  FailureOr<func::ReturnOp> end = failed(known) ? FailureOr<func::ReturnOp>() : phaseReturn(phase);
  if (failed(end)) {
    return failure();
  }
  limits = *known;
  terminator = *end;
  if (!training() && terminator->getNumOperands() < 2) {
    return phase.emitOpError("is not a phase: it must return logits and routing as its first results");
  }
  for (Operation &op : phase.getBody().front()) {
    if (!isa<CallOp, SliceRowsOp, ParamOp, PackOp, TrainingStateOp, func::ReturnOp>(op)) {
      return op.emitOpError("is not a launch: lower to a target's kernels first");
    }
  }
  return success();
}

LogicalResult PhasePlan::write(OpBuilder &builder) {
  if (failed(begin()) || failed(placeGradients()) || failed(collect()) || failed(findExchange())) {
    return failure();
  }
  int64_t arenaBytes = planArena(requests);
  NamedAttrList slices;
  for (auto [name, result] : results()) {
    const ArenaRequest &request = requests[requestOf.lookup(result)];
    slices.set(name, builder.getDenseI64ArrayAttr({request.offset, request.bytes}));
  }
  auto slice = [&](StringRef name) {
    return training() ? DenseI64ArrayAttr() : cast<DenseI64ArrayAttr>(slices.get(name));
  };
  SmallVector<int64_t> exchange;
  for (Value part : parts) {
    const ArenaRequest &request = requests[requestOf.lookup(part)];
    llvm::append_values(exchange, request.offset, request.bytes);
  }
  auto program = builder.create<ProgramOp>(phase.getLoc(), phase.getName(), arenaBytes, limits.maxTokens,
                                           limits.maxSeqs, slice("logits"), slice("routing"),
                                           training() ? slices.getDictionary(builder.getContext()) : DictionaryAttr(),
                                           sumsFrom ? builder.getDenseI64ArrayAttr(exchange) : DenseI64ArrayAttr(),
                                           sumsFrom ? builder.getI64IntegerAttr(*sumsFrom) : IntegerAttr());
  OpBuilder inside = OpBuilder::atBlockBegin(&program.getBody().emplaceBlock());
  for (CallOp call : calls) {
    SmallVector<Attribute> buffers;
    for (int64_t number : call.getOrder()) {
      if (failed(appendBuffers(call, number, buffers))) {
        return failure();
      }
    }
    inside.create<LaunchOp>(call.getLoc(), call.getKernelAttr(), call.getGridAttr(), inside.getArrayAttr(buffers),
                            call.getOpAttr(), call.getLayerAttr(), call.getConstantsAttr(), countOf(call, builder));
  }
  return success();
}

namespace {
struct PlanArena : chimera::impl::PlanArenaBase<PlanArena> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    ModelLayout layout;
    SmallVector<func::FuncOp> phases;
    for (bool training : {false, true}) {
      for (auto phase : module.getOps<func::FuncOp>()) {
        if (phase->hasAttr(attrs::limits) && phase->hasAttr(attrs::training) == training) {
          phases.push_back(phase);
        }
      }
    }
    for (func::FuncOp phase : phases) {
      if (failed(layout.add(phase))) {
        return signalPassFailure();
      }
    }
    layout.addUnread(module);
    for (func::FuncOp phase : phases) {
      OpBuilder builder(phase);
      if (failed(PhasePlan(phase, layout).write(builder))) {
        return signalPassFailure();
      }
      phase.erase();
    }
    if (ArrayAttr packed = layout.packedAttr(&getContext())) {
      module->setAttr(attrs::packed, packed);
    }
    module->setAttr(attrs::parameters, layout.parametersAttr(&getContext()));
    module->setAttr(attrs::caches, layout.cachesAttr(&getContext()));
  }
};
} // namespace
