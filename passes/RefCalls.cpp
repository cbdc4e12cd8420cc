// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One op to one launch of a ref kernel: which kernel, and its buffers in the order that codegen/ref/Kernels.h gives.

#include "passes/RefCalls.h"
#include "passes/KernelCall.h"
#include "passes/TrainingCalls.h"

#include "codegen/ref/Kernels.h"
#include "dialect/IR/Checks.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

//===----------------------------------------------------------------------===//
// Row by row
//===----------------------------------------------------------------------===//

void RefCalls::lowerNorm(NormOp op) {
  auto kind = op.getKind() == NormKind::RMS ? ref::NormKind::RMS : ref::NormKind::Layer;
  ref::NormSpec spec{columnsOf(op.getInput()),      kind,
                     op.getEps().convertToDouble(), scalarOf(op.getInput()),
                     int64_t(op.getGroups()),       op.getUnitOffset()};
  KernelCall(rewriter, op)
      .start(rowsOf(op.getInput()))
      .in({op.getInput(), op.getWeight()})
      .optional(op.getBias())
      .out(op.getResult().getType())
      .replace(getOrEmit(kernels, spec));
}

void RefCalls::lowerLinear(LinearOp op) {
  ref::LinearSpec spec{columnsOf(op.getInput()), columnsOf(op.getResult()), scalarOf(op.getInput()),
                       scalarOf(op.getWeight()), scalarOf(op.getResult())};
  KernelCall(rewriter, op)
      .start(rowsOf(op.getInput()))
      .in({op.getInput(), op.getWeight()})
      .out(op.getResult().getType())
      .replace(getOrEmit(kernels, spec));
}

LogicalResult RefCalls::lowerRowwise(Operation *op) {
  bool known = true;
  auto elementwise = [&](const ref::Kernel &kernel) {
    KernelCall(rewriter, op)
        .start(rowsOf(op->getResult(0)))
        .in(op->getOperands())
        .out(op->getResult(0).getType())
        .replace(kernel);
  };
  TypeSwitch<Operation *>(op)
      .Case([&](EmbedOp embed) {
        ref::EmbedSpec spec{columnsOf(embed.getTable()), scalarOf(embed.getTable()), scalarOf(embed.getResult())};
        KernelCall(rewriter, op)
            .start(embed.getRows())
            .in({embed.getTokens(), embed.getTable()})
            .out(embed.getResult().getType())
            .replace(getOrEmit(kernels, spec));
      })
      .Case([&](NormOp norm) { lowerNorm(norm); })
      .Case([&](LinearOp linear) { lowerLinear(linear); })
      .Case([&](CastOp cast) {
        elementwise(getOrEmit(
            kernels, ref::CastSpec{columnsOf(cast.getInput()), scalarOf(cast.getInput()), scalarOf(cast.getResult())}));
      })
      .Case([&](AddOp add) {
        elementwise(getOrEmit(kernels, ref::AddSpec{columnsOf(add.getLhs()), scalarOf(add.getLhs())}));
      })
      .Case([&](AddBiasOp add) {
        elementwise(getOrEmit(kernels, ref::AddBiasSpec{columnsOf(add.getInput()), scalarOf(add.getInput())}));
      })
      .Case([&](ScaleOp scale) {
        elementwise(getOrEmit(kernels, ref::ScaleSpec{columnsOf(scale.getInput()), scale.getFactor().convertToDouble(),
                                                      scalarOf(scale.getInput())}));
      })
      .Case([&](ScaleColumnsOp scale) {
        elementwise(getOrEmit(kernels, ref::ScaleColumnsSpec{scale.getFactors().vec(), scale.getWidths().vec(),
                                                             scalarOf(scale.getInput())}));
      })
      .Case([&](SoftCapOp capped) {
        elementwise(getOrEmit(kernels, ref::SoftCapSpec{columnsOf(capped.getInput()), capped.getCap().convertToDouble(),
                                                        scalarOf(capped.getInput())}));
      })
      .Case([&](ActivateOp activate) {
        elementwise(getOrEmit(kernels, ref::ActivateSpec{columnsOf(activate.getInput()), activationOf(activate),
                                                         scalarOf(activate.getInput())}));
      })
      .Case([&](GluOp glu) {
        elementwise(
            getOrEmit(kernels, ref::GluSpec{columnsOf(glu.getGate()), activationOf(glu), scalarOf(glu.getGate())}));
      })
      .Case([&](ColumnsOp columns) {
        elementwise(getOrEmit(kernels, ref::ColumnsSpec{columnsOf(columns.getInput()), int64_t(columns.getOffset()),
                                                        columnsOf(columns.getResult()), scalarOf(columns.getInput())}));
      })
      .Case([&](GatedNormOp norm) {
        elementwise(getOrEmit(kernels, ref::GatedNormSpec{columnsOf(norm.getInput()), int64_t(norm.getGroups()),
                                                          norm.getEps().convertToDouble(), scalarOf(norm.getInput())}));
      })
      .Case([&](RopeOp rope) {
        int64_t heads = rope.getHeads(), rotated = 2 * static_cast<int64_t>(rope.getFrequencies().size());
        ref::RopeSpec spec{heads,
                           columnsOf(rope.getInput()) / heads,
                           rotated,
                           std::vector<double>(rope.getFrequencies()),
                           scalarOf(rope.getInput()),
                           rope.getInverse()};
        KernelCall(rewriter, op)
            .rows(rope.getRows())
            .in(rope.getInput())
            .out(rope.getResult().getType())
            .replace(getOrEmit(kernels, spec));
      })
      .Default([&](Operation *) { known = false; });
  return known ? success() : op->emitOpError("has no kernel on the ref target");
}

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

std::vector<ref::Capacity> chimera::capacitiesOf(size_t modes, std::optional<ArrayRef<double>> rates,
                                                 std::optional<ArrayRef<int64_t>> maxTokens) {
  std::vector<ref::Capacity> capacities(rates || maxTokens ? modes : 0);
  for (size_t k = 0; k < capacities.size(); ++k) {
    if (rates && !std::isinf((*rates)[k])) {
      capacities[k].rate = (*rates)[k];
    }
    if (maxTokens && (*maxTokens)[k] >= 0) {
      capacities[k].maxTokens = (*maxTokens)[k];
    }
  }
  return capacities;
}

void RefCalls::lowerRoute(RouteOp op) {
  ref::RouteSpec spec;
  spec.modes = modeIndices(op.getModes());
  spec.temperature = op.getTemperature().convertToDouble();
  spec.gate = op.getGateKind() == GateKind::One ? ref::GateKind::One : ref::GateKind::Prob;
  spec.biasInGate = op.getBiasInGate();
  spec.type = scalarOf(op.getLogits());
  spec.capacity = capacitiesOf(spec.modes.size(), op.getCapacity(), op.getMaxTokens());
  Value modes = op.getForced() ? Value(op.getForced()) : forced;
  KernelCall(rewriter, op)
      .rows(op.getRows())
      .in({op.getLogits(), op.getBias(), modes})
      .update(op.getCounts())
      .out(op.getMode().getType())
      .out(op.getGate().getType())
      .out(op.getLogP().getType())
      .constant(op.getLayer())
      .constant(columnsOf(modes))
      .replace(getOrEmit(kernels, spec));
}

void RefCalls::lowerDispatch(DispatchOp op) {
  KernelCall call(rewriter, op);
  call.rows(op.getRows()).in(op.getMode()).out(op.getInverse().getType()).out(op.getInverse().getType());
  for (size_t k = 0; k < op.getModes().size(); ++k) {
    call.outStart();
  }
  ResultRange results = call.emit(getOrEmit(kernels, ref::DispatchSpec{modeIndices(op.getModes())}));
  SmallVector<Value> replacements = {results[1]};
  for (Value start : results.drop_front(2)) {
    replacements.push_back(
        rewriter.create<SliceRowsOp>(op.getLoc(), op.getRows().getType(), results[0], start, op.getRows()));
  }
  rewriter.replaceOp(op, replacements);
}

void RefCalls::lowerCombine(CombineOp op) {
  ref::CombineSpec spec{columnsOf(op.getResidual()), modeIndices(op.getModes()), true, scalarOf(op.getResidual())};
  KernelCall(rewriter, op)
      .start(rowsOf(op.getResidual()))
      .in({op.getMode(), op.getInverse(), op.getResidual(), op.getGate()})
      .out(op.getResult().getType())
      .in(op.getOutputs())
      .replace(getOrEmit(kernels, spec));
}

LogicalResult RefCalls::lowerRouting(Operation *op) {
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](RouteOp route) {
        if (!forced) {
          return LogicalResult(route.emitOpError("is in a function without an argument of forced modes"));
        }
        if (int64_t(route.getLayer()) < 0 || int64_t(route.getLayer()) >= columnsOf(forced)) {
          return LogicalResult(route.emitOpError("layer ") << int64_t(route.getLayer()) << " is not one of the "
                                                           << columnsOf(forced) << " of the function's forced modes");
        }
        lowerRoute(route);
        return success();
      })
      .Case([&](DispatchOp dispatch) {
        lowerDispatch(dispatch);
        return success();
      })
      .Case([&](CombineOp combine) {
        lowerCombine(combine);
        return success();
      })
      .Case([&](GatherOp gather) {
        if (gather.getFrom() != batch) {
          return LogicalResult(gather.emitOpError("gathers from a part of the batch, which the ref target cannot"));
        }
        ref::GatherSpec spec{columnsOf(gather.getInput()), scalarOf(gather.getInput())};
        KernelCall(rewriter, op)
            .rows(gather.getTo())
            .in(gather.getInput())
            .out(gather.getResult().getType())
            .replace(getOrEmit(kernels, spec));
        return success();
      })
      .Case([&](WriteWeightOp weight) {
        ref::WriteWeightSpec spec{columnsOf(weight.getLogP()), int64_t(weight.getColumn()), scalarOf(weight.getLogP())};
        KernelCall(rewriter, op)
            .rows(weight.getTo())
            .in(weight.getLogP())
            .out(weight.getResult().getType())
            .replace(getOrEmit(kernels, spec));
        return success();
      })
      .Case([&](ConstantModeOp mode) {
        KernelCall(rewriter, op)
            .start(mode.getRows())
            .out(mode.getResult().getType())
            .constant(static_cast<int64_t>(mode.getMode()))
            .replace(getOrEmit(kernels, ref::ConstantModeSpec{}));
        return success();
      })
      .Case([&](StackModesOp stack) {
        ref::StackModesSpec spec{static_cast<int64_t>(stack.getInputs().size())};
        KernelCall(rewriter, op)
            .start(rowsOf(stack.getResult()))
            .out(stack.getResult().getType())
            .in(stack.getInputs())
            .replace(getOrEmit(kernels, spec));
        return success();
      });
}

//===----------------------------------------------------------------------===//
// Experts
//===----------------------------------------------------------------------===//

void RefCalls::lowerRouteExperts(RouteExpertsOp op) {
  ref::RouteExpertsSpec spec{columnsOf(op.getLogits()),
                             static_cast<int64_t>(op.getCount()),
                             static_cast<ref::ExpertScore>(op.getScore()),
                             op.getNormalized(),
                             bool(op.getBias()),
                             op.getScale().convertToDouble(),
                             scalarOf(op.getLogits())};
  KernelCall(rewriter, op)
      .start(rowsOf(op.getLogits()))
      .in(op.getLogits())
      .optional(op.getBias())
      .out(op.getChosen().getType())
      .out(op.getWeights().getType())
      .replace(getOrEmit(kernels, spec));
}

void RefCalls::lowerDispatchExperts(DispatchExpertsOp op) {
  auto count = static_cast<int64_t>(op.getCount());
  auto index = RankedTensorType::get({ShapedType::kDynamic, count}, rewriter.getI32Type());
  KernelCall call(rewriter, op);
  call.rows(op.getRows()).in(op.getChosen()).out(index);
  for (size_t e = 0; e < op.getSlices().size(); ++e) {
    call.outStart();
  }
  ResultRange results = call.emit(getOrEmit(kernels, ref::DispatchExpertsSpec{columnsOf(op.getChosen())}));
  SmallVector<Value> slices;
  for (Value start : results.drop_front()) {
    slices.push_back(
        rewriter.create<SliceRowsOp>(op.getLoc(), op.getRows().getType(), results[0], start, op.getRows()));
  }
  rewriter.replaceOp(op, slices);
}

/// A tensor with the elements of `input`, which is of the whole batch, that `op` may overwrite: `input` itself where
/// this is its last use.
Value RefCalls::ownCopy(Operation *op, Value input) {
  Operation *maker = input.getDefiningOp();
  bool isLast = maker && !isa<ParamOp, TrainingStateOp>(maker) && llvm::all_of(input.getUsers(), [&](Operation *user) {
                  return user == op || user->isBeforeInBlock(op);
                });
  if (isLast) {
    return input;
  }
  ref::ColumnsSpec copy{columnsOf(input), 0, columnsOf(input), scalarOf(input)};
  return KernelCall(rewriter, op)
      .start(rowsOf(input))
      .in(input)
      .out(input.getType())
      .emit(getOrEmit(kernels, copy))
      .front();
}

void RefCalls::lowerAddExpert(AddExpertOp op) {
  ref::AddExpertSpec spec{columnsOf(op.getInput()), columnsOf(op.getWeights()), scalarOf(op.getInput())};
  Value input = ownCopy(op, op.getInput());
  KernelCall(rewriter, op)
      .rows(op.getFrom())
      .in({op.getOutput(), op.getWeights()})
      .update(input)
      .constant(static_cast<int64_t>(op.getExpert()))
      .replace(getOrEmit(kernels, spec));
}

bool RefCalls::lowerExperts(Operation *op) {
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](RouteExpertsOp route) {
        lowerRouteExperts(route);
        return true;
      })
      .Case([&](DispatchExpertsOp dispatch) {
        lowerDispatchExperts(dispatch);
        return true;
      })
      .Case([&](AddExpertOp add) {
        lowerAddExpert(add);
        return true;
      })
      .Case([&](ZerosOp zeros) {
        ref::ZerosSpec spec{columnsOf(zeros.getResult()), scalarOf(zeros.getResult())};
        KernelCall(rewriter, op)
            .start(zeros.getRows())
            .out(zeros.getResult().getType())
            .replace(getOrEmit(kernels, spec));
        return true;
      })
      .Default(false);
}

//===----------------------------------------------------------------------===//
// Mixers
//===----------------------------------------------------------------------===//

static ref::CacheSpec cacheSpec(Type type, Type accumulator) {
  auto cache = cast<KeyValueTypeInterface>(type);
  auto ring = dyn_cast<RingType>(type);
  return {ring ? ref::CacheKind::Ring : ref::CacheKind::List,
          cache.getHeads(),
          cache.getDim(),
          ring ? ring.getWindow() : 0,
          !isa<NoneType>(cache.getWeights()),
          scalarOf(cache.getElement()),
          scalarOf(accumulator)};
}

void RefCalls::lowerAttend(AttendOp op) {
  auto cache = cast<KeyValueTypeInterface>(op.getCache().getType());
  ref::AttendSpec spec{cacheSpec(op.getCache().getType(), elementOf(op.getResult())),
                       columnsOf(op.getQuery()) / cache.getDim(), op.getScale().convertToDouble(),
                       op.getOwn() != op.getRows(), softCapOf(op)};
  KernelCall(rewriter, op)
      .rows(op.getOwn())
      .rows(op.getRows())
      .in({op.getQuery(), op.getKey(), op.getValue()})
      .optional(op.getWrite())
      .in(op.getCache())
      .out(op.getResult().getType())
      .replace(getOrEmit(kernels, spec));
}

void RefCalls::lowerAppend(AppendOp op) {
  Type element = elementOf(op.getKey());
  Type accumulator = element.isF64() ? element : Type(rewriter.getF32Type());
  KernelCall(rewriter, op)
      .rows(op.getRows())
      .in({op.getKey(), op.getValue()})
      .optional(op.getWrite())
      .update(op.getCache())
      .replace(getOrEmit(kernels, ref::AppendSpec{cacheSpec(op.getCache().getType(), accumulator)}));
}

void RefCalls::lowerConv(CausalConvOp op) {
  ref::CausalConvSpec spec{columnsOf(op.getInput()), columnsOf(op.getWeight()), op.getActivation() == Activation::SiLU,
                           scalarOf(op.getInput())};
  KernelCall(rewriter, op)
      .rows(op.getRows())
      .in({op.getInput(), op.getWeight(), op.getBias()})
      .optional(op.getTail())
      .out(op.getResult().getType())
      .replace(getOrEmit(kernels, spec));
}

void RefCalls::lowerSsmScan(SsmScanOp op) {
  StateType state = op.getState().getType();
  ref::SsmScanSpec spec{state.getHeads(),
                        state.getDim(),
                        state.getSize(),
                        int64_t(op.getGroups()),
                        op.getDtMin().convertToDouble(),
                        op.getDtMax().convertToDouble(),
                        bool(op.getWrite()),
                        scalarOf(state.getElement())};
  KernelCall(rewriter, op)
      .rows(op.getRows())
      .in({op.getXbc(), op.getDt(), op.getALog(), op.getSkip(), op.getDtBias()})
      .optional(op.getWrite())
      .update(op.getState())
      .out(op.getResult().getType())
      .replace(getOrEmit(kernels, spec));
}

void RefCalls::lowerLtiScan(LtiScanOp op) {
  StateType state = op.getState().getType();
  ref::LtiScanSpec spec{state.getSize(), bool(op.getWrite()), scalarOf(state.getElement())};
  KernelCall(rewriter, op)
      .rows(op.getRows())
      .in({op.getInput(), op.getDecay()})
      .optional(op.getWrite())
      .update(op.getState())
      .out(op.getResult().getType())
      .replace(getOrEmit(kernels, spec));
}

LogicalResult RefCalls::lowerMixer(Operation *op) {
  auto attend = dyn_cast<AttendOp>(op);
  if (attend && attend.getOwn() != attend.getRows() && attend.getRows() != batch) {
    return attend.emitOpError("attends from a part of its keys' rows, which must then be the whole batch");
  }
  TypeSwitch<Operation *>(op)
      .Case([&](AttendOp attend) { lowerAttend(attend); })
      .Case([&](AppendOp append) { lowerAppend(append); })
      .Case([&](CausalConvOp conv) { lowerConv(conv); })
      .Case([&](ShiftTailOp shift) {
        TailType tail = shift.getTail().getType();
        ref::ShiftTailSpec spec{tail.getChannels(), tail.getRows(), scalarOf(tail.getElement())};
        KernelCall(rewriter, op)
            .rows(shift.getRows())
            .in(shift.getInput())
            .update(shift.getTail())
            .replace(getOrEmit(kernels, spec));
      })
      .Case([&](SsmScanOp scan) { lowerSsmScan(scan); })
      .Case([&](LtiScanOp scan) { lowerLtiScan(scan); });
  return success();
}

/// Kernels are made for sizes: only the number of rows may be open. What kernels reckon with are products of two sizes.
static LogicalResult checkSizes(Operation *op) {
  constexpr int64_t most = int64_t(1) << 31;
  SmallVector<Type> types(op->getOperandTypes());
  llvm::append_range(types, op->getResultTypes());
  for (Type type : types) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (tensor && tensor.getRank() > 0 &&
        llvm::any_of(tensor.getShape().drop_front(), [](int64_t size) { return size < 1; })) {
      return op->emitOpError("needs a known number of columns, at least one, but has ") << tensor;
    }
    if (tensor && llvm::any_of(tensor.getShape(), [](int64_t size) { return size > most; })) {
      return op->emitOpError("is too large for a kernel: it has ") << tensor;
    }
  }
  return success();
}

LogicalResult chimera::checkLaunch(Operation *op) {
  if (isa<MixOp>(op)) {
    return op->emitOpError("must be dispatched before kernels are chosen");
  }
  for (Value result : op->getResults()) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    bool rows = type && (!type.hasStaticShape() || isa<RaggedOpInterface>(op));
    if (rows && !isa<DispatchOp>(op) && !rowsOf(result)) {
      return op->emitOpError("nothing says which rows its result has");
    }
  }
  // Sums over rows have none themselves.
  if (isa<ColumnSumOp, LinearWeightGradOp, EmbedGradOp>(op) && !rowsOf(op->getOperand(isa<ColumnSumOp>(op) ? 0 : 1))) {
    return op->emitOpError("nothing says which rows it adds up");
  }
  return checkSizes(op);
}

LogicalResult RefCalls::lower(Operation *op) {
  // Parameters stay, and what is lowered already.
  if (!isa<ChimeraDialect>(op->getDialect()) || isa<ParamOp, PackOp, CallOp, SliceRowsOp>(op)) {
    return success();
  }
  if (failed(checkLaunch(op))) {
    return failure();
  }
  rewriter.setInsertionPoint(op);
  if (TrainingCalls(rewriter, kernels).lower(op)) {
    return success();
  }
  if (isa<RouteOp, DispatchOp, CombineOp, GatherOp, WriteWeightOp, ConstantModeOp, StackModesOp>(op)) {
    return lowerRouting(op);
  }
  if (isa<AttendOp, AppendOp, CausalConvOp, ShiftTailOp, SsmScanOp, LtiScanOp>(op)) {
    return lowerMixer(op);
  }
  return lowerExperts(op) ? success() : lowerRowwise(op);
}
