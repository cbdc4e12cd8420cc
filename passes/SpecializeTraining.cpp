// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-specialize-training: the training form of the model, and one function a training program from it.

#include "dialect/IR/Checks.h"
#include "dialect/IR/LayerListener.h"
#include "dialect/IR/Ops.h"
#include "dialect/IR/TrainingLayout.h"
#include "passes/ModelLayout.h"
#include "passes/Passes.h"
#include "passes/Phase.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

namespace chimera {
#define GEN_PASS_DEF_SPECIALIZETRAINING
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

namespace {

/// What distinguishes the programs.
struct Program {
  StringRef name;
  bool soft, differentiate;
};

/// Turns a copy of @model into a training program: no caches, routing with noise, the loss in place of the logits.
class TrainingForm {
public:
  TrainingForm(func::FuncOp function, const Program &program)
      : function(function), program(program), rewriter(function.getContext(), &layers) {}

  LogicalResult build();

private:
  void addArguments();
  LogicalResult replaceOps();
  void replaceRoute(RouteOp op);
  void replaceAttend(AttendOp op);
  void replaceSsmScan(SsmScanOp op);
  LogicalResult replaceMix(MixOp op);
  void widenParam(ParamOp op);
  LogicalResult replaceResults();
  LogicalResult dropCaches();

  Value addArgument(Type type, StringRef name);
  Type f64Tensor(ArrayRef<int64_t> shape) { return RankedTensorType::get(shape, rewriter.getF64Type()); }
  Type accumulatorLike(Value operand) {
    return elementOf(operand).isF64() ? Type(rewriter.getF64Type()) : Type(rewriter.getF32Type());
  }

  func::FuncOp function;
  Program program;
  LayerListener layers;
  IRRewriter rewriter;
  Value rows, outputs, targets, noise, hyper, leaves;
  SmallVector<std::pair<int64_t, SeqRouteOp>> routes; ///< by layer, in order
};

} // namespace

Value TrainingForm::addArgument(Type type, StringRef name) {
  unsigned index = function.getNumArguments();
  function.insertArgument(index, type, rewriter.getDictionaryAttr({}), function.getLoc());
  function.setArgAttr(index, attrs::step, rewriter.getStringAttr(name));
  return function.getArgument(index);
}

void TrainingForm::addArguments() {
  int64_t layerCount = 0;
  for (BlockArgument argument : function.getArguments()) {
    StringRef name = stepNameOf(function, argument.getArgNumber());
    rows = name == "rows" ? argument : rows;
    outputs = name == "outputs" ? argument : outputs;
    if (name == "forced") {
      layerCount = columnsOf(argument);
    }
  }
  targets = addArgument(RankedTensorType::get({ShapedType::kDynamic}, rewriter.getI32Type()), "targets");
  noise = addArgument(f64Tensor({ShapedType::kDynamic, 4 * layerCount}), "noise");
  hyper = addArgument(f64Tensor({hyperLength}), "hyper");
  addArgument(f64Tensor({layerCount, pricesPerLayer}), "prices");
  leaves = addArgument(RankedTensorType::get({leavesLength}, rewriter.getI32Type()), "leaves");
}

void TrainingForm::replaceRoute(RouteOp op) {
  Type modes = op.getMode().getType();
  auto route = rewriter.create<SeqRouteOp>(op.getLoc(), modes, modes, op.getGate().getType(), op.getLogP().getType(),
                                           op.getModes(), op.getLogits(), op.getBias(), noise, hyper, op.getRows(),
                                           op.getLayer(), op.getGateKind(), op.getBiasInGate(), program.soft,
                                           program.soft ? DenseF64ArrayAttr() : op.getCapacityAttr(),
                                           program.soft ? DenseI64ArrayAttr() : op.getMaxTokensAttr());
  routes.push_back({static_cast<int64_t>(op.getLayer()), route});
  rewriter.replaceOp(op, {route.getMode(), route.getGate(), route.getLogP(), op.getCounts()});
}

void TrainingForm::replaceAttend(AttendOp op) {
  auto cache = cast<KeyValueTypeInterface>(op.getCache().getType());
  auto ring = dyn_cast<RingType>(op.getCache().getType());
  Type element = elementOf(op.getResult());
  auto lse = RankedTensorType::get({ShapedType::kDynamic, columnsOf(op.getQuery()) / cache.getDim()}, element);
  rewriter.replaceOp(op, rewriter
                             .create<SeqAttendOp>(op.getLoc(), op.getResult().getType(), lse, op.getQuery(),
                                                  op.getKey(), op.getValue(), op.getWrite(), ValueRange(), op.getOwn(),
                                                  op.getRows(), cache.getHeads(), cache.getDim(),
                                                  ring ? ring.getWindow() : -1, op.getScale(), op.getSoftCapAttr())
                             .getResult());
}

void TrainingForm::replaceSsmScan(SsmScanOp op) {
  StateType state = op.getState().getType();
  int64_t kept = scanStates(state.getHeads(), state.getDim(), state.getSize());
  auto states = RankedTensorType::get({ShapedType::kDynamic, kept}, state.getElement());
  auto scan = rewriter.create<SeqSsmScanOp>(op.getLoc(), op.getResult().getType(), states, op.getXbc(), op.getDt(),
                                            op.getALog(), op.getSkip(), op.getDtBias(), op.getWrite(), Value(),
                                            op.getRows(), state.getHeads(), state.getDim(), state.getSize(),
                                            op.getGroups(), op.getDtMin(), op.getDtMax());
  rewriter.replaceOp(op, {scan.getResult(), op.getState()});
}

/// The same mix without caches. Its regions must be rid of their uses.
LogicalResult TrainingForm::replaceMix(MixOp op) {
  unsigned leading = op.leadingArguments();
  for (auto [region, count] : llvm::zip_equal(op.getMixers(), op.getCacheCounts())) {
    Block &block = region.front();
    auto yield = cast<YieldOp>(block.getTerminator());
    size_t outputs = yield.getValues().size() - static_cast<size_t>(count);
    yield->setOperands(SmallVector<Value>(yield.getValues().take_front(outputs)));
    for (BlockArgument cache : block.getArguments().drop_front(leading)) {
      if (!cache.use_empty()) {
        return cache.getUsers().begin()->emitOpError("has no form for training");
      }
    }
    block.eraseArguments(leading, block.getNumArguments() - leading);
  }
  auto mix = rewriter.create<MixOp>(op.getLoc(), op.getResult().getType(), TypeRange(), op.getModes(), op.getPolicy(),
                                    op.getResidual(), op.getTokens(), op.getMode(), op.getGate(), op.getLogP(),
                                    op.getRows(), ValueRange(), op.getLogPModesAttr(),
                                    rewriter.getDenseI64ArrayAttr(SmallVector<int64_t>(op.getMixers().size(), 0)),
                                    static_cast<unsigned>(op.getMixers().size()));
  for (auto [to, from] : llvm::zip_equal(mix.getMixers(), op.getMixers())) {
    to.takeBody(from);
  }
  SmallVector<Value> results = {mix.getResult()};
  llvm::append_range(results, op.getCaches());
  rewriter.replaceOp(op, results);
  return success();
}

/// The master of a bf16 parameter is f32, and rounded where it is used.
void TrainingForm::widenParam(ParamOp op) {
  auto type = cast<RankedTensorType>(op.getResult().getType());
  if (!type.getElementType().isBF16()) {
    return;
  }
  rewriter.setInsertionPointAfter(op);
  op.getResult().setType(type.clone(rewriter.getF32Type()));
  auto rounded = rewriter.create<RoundParamOp>(op.getLoc(), type, op.getResult());
  rewriter.replaceAllUsesExcept(op.getResult(), rounded.getResult(), rounded);
}

LogicalResult TrainingForm::replaceOps() {
  SmallVector<Operation *> ops;
  function.walk<WalkOrder::PostOrder>([&](Operation *op) { ops.push_back(op); });
  for (Operation *op : ops) {
    layers.follow(op);
    rewriter.setInsertionPoint(op);
    if (auto mix = dyn_cast<MixOp>(op)) {
      if (failed(replaceMix(mix))) {
        return failure();
      }
      continue;
    }
    TypeSwitch<Operation *>(op)
        .Case([&](RouteOp route) { replaceRoute(route); })
        .Case([&](AttendOp attend) { replaceAttend(attend); })
        .Case([&](AppendOp append) { rewriter.replaceOp(append, append.getCache()); })
        .Case([&](ShiftTailOp shift) { rewriter.replaceOp(shift, shift.getTail()); })
        .Case([&](CausalConvOp conv) {
          rewriter.replaceOpWithNewOp<SeqConvOp>(conv, conv.getResult().getType(), conv.getInput(), conv.getWeight(),
                                                 conv.getBias(), Value(), Value(), conv.getRows(),
                                                 conv.getActivation());
        })
        .Case([&](SsmScanOp scan) { replaceSsmScan(scan); })
        .Case([&](LtiScanOp scan) {
          Value result = rewriter.create<SeqLtiScanOp>(scan.getLoc(), scan.getResult().getType(), scan.getInput(),
                                                       scan.getDecay(), scan.getWrite(), Value(), scan.getRows());
          rewriter.replaceOp(scan, {result, scan.getState()});
        })
        .Case([&](ParamOp param) { widenParam(param); });
  }
  return success();
}

/// The loss and what the routers did, in the place of logits, routing and caches.
LogicalResult TrainingForm::replaceResults() {
  auto terminator = cast<func::ReturnOp>(function.getBody().front().getTerminator());
  auto capped = terminator.getOperand(0).getDefiningOp<SoftCapOp>();
  auto logits = (capped ? capped.getInput() : terminator.getOperand(0)).getDefiningOp<LinearOp>();
  if (!logits || !logits->hasOneUse() || (capped && !capped->hasOneUse())) {
    return function.emitOpError("its logits must be a chimera.linear of no other use, or its chimera.soft_cap, to be "
                                "trained");
  }
  layers.follow(logits);
  rewriter.setInsertionPoint(terminator);
  Type lse = RankedTensorType::get({ShapedType::kDynamic, 1}, accumulatorLike(logits.getInput()));
  auto loss =
      rewriter.create<CrossEntropyOp>(logits.getLoc(), lse, f64Tensor({ShapedType::kDynamic, 2}), logits.getInput(),
                                      logits.getWeight(), targets, outputs, capped ? capped.getCapAttr() : FloatAttr());
  SmallVector<Value> results = {
      rewriter.create<ColumnSumOp>(logits.getLoc(), f64Tensor({2}), loss.getScores(), leaves)};
  SmallVector<std::string> names = {"loss"};
  for (auto [layer, route] : routes) {
    layers.follow(route);
    Value statistics =
        rewriter.create<RouteStatisticsOp>(route.getLoc(), f64Tensor({ShapedType::kDynamic, routeStatistics}),
                                           route.getModes(), route.getMode(), route.getWanted(), route.getLogP());
    results.push_back(rewriter.create<ColumnSumOp>(route.getLoc(), f64Tensor({routeStatistics}), statistics, leaves));
    names.push_back("statistics." + std::to_string(layer));
  }
  if (!program.differentiate) {
    results.push_back(terminator.getOperand(1));
    names.push_back("modes");
  }
  terminator->setOperands(results);
  if (capped) {
    rewriter.eraseOp(capped);
  }
  rewriter.eraseOp(logits);
  function.setType(rewriter.getFunctionType(function.getArgumentTypes(), ValueRange(results).getTypes()));
  SmallVector<Attribute> attrs = llvm::map_to_vector(names, [&](StringRef name) -> Attribute {
    return rewriter.getDictionaryAttr(rewriter.getNamedAttr(attrs::result, rewriter.getStringAttr(name)));
  });
  function.setAllResultAttrs(attrs);
  return success();
}

LogicalResult TrainingForm::dropCaches() {
  BitVector dropped(function.getNumArguments());
  for (BlockArgument argument : function.getArguments()) {
    if (!isa<CacheTypeInterface>(argument.getType()) && stepNameOf(function, argument.getArgNumber()) != "forced") {
      continue;
    }
    if (!argument.use_empty()) {
      return argument.getUsers().begin()->emitOpError("has no form for training");
    }
    dropped.set(argument.getArgNumber());
  }
  function.eraseArguments(dropped);
  return success();
}

LogicalResult TrainingForm::build() {
  addArguments();
  if (!rows || !outputs) {
    return function.emitOpError("has no arguments with chimera.step = \"rows\" and \"outputs\"");
  }
  if (failed(replaceOps()) || failed(replaceResults())) {
    return failure();
  }
  return dropCaches();
}

/// The parameters of a program, once each. Those that nothing reads are gone after the next clean-up, but a trained
/// model is to have them all.
static ArrayAttr parametersOf(func::FuncOp program) {
  SmallVector<Attribute> entries;
  llvm::StringSet<> known;
  program.walk([&](ParamOp op) {
    if (known.insert(op.getName()).second) {
      entries.push_back(parameterEntry(op));
    }
  });
  return ArrayAttr::get(program.getContext(), entries);
}

namespace {
struct SpecializeTraining : chimera::impl::SpecializeTrainingBase<SpecializeTraining> {
  using SpecializeTrainingBase::SpecializeTrainingBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto model = module.lookupSymbol<func::FuncOp>("model");
    if (!model || !model.getBody().hasOneBlock() || model.getNumResults() < 2 ||
        !isa<func::ReturnOp>(model.getBody().front().back())) {
      module.emitError("has no function @model to specialise");
      return signalPassFailure();
    }
    if (maxTokens < 1 || maxSeqs < 1 || maxSeqs > maxTokens) {
      module.emitError("a run must hold at least one sequence, and a row for each: got max-tokens ")
          << maxTokens.getValue() << " and max-seqs " << maxSeqs.getValue();
      return signalPassFailure();
    }
    bool routed = false;
    model.walk([&](RouteOp) { routed = true; });
    OpBuilder builder(model);
    for (const Program &program : {Program{"train_hard", false, true}, Program{"train_soft", true, true},
                                   Program{"evaluate_hard", false, false}, Program{"evaluate_soft", true, false}}) {
      if (program.soft && !routed) {
        continue;
      }
      if (failed(checkSymbolFree(module, program.name))) {
        return signalPassFailure();
      }
      auto function = cast<func::FuncOp>(builder.clone(*model));
      function.setName(program.name);
      function->setAttr(attrs::limits, builder.getDenseI64ArrayAttr({maxTokens, maxSeqs}));
      function->setAttr(attrs::training, builder.getUnitAttr());
      if (program.differentiate) {
        function->setAttr(attrs::differentiate, builder.getUnitAttr());
      }
      if (program.soft) {
        function->setAttr(attrs::soft, builder.getUnitAttr());
      }
      if (failed(TrainingForm(function, program).build())) {
        return signalPassFailure();
      }
    }
    module->setAttr(attrs::parameters, parametersOf(module.lookupSymbol<func::FuncOp>("train_hard")));
    if (!keepModel) {
      model.erase();
    }
  }
};
} // namespace
