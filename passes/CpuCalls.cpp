// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One op to one launch of a cpu kernel: which kernel, and its buffers in the order that codegen/cpu/Kernels.h gives.

#include "passes/CpuCalls.h"
#include "passes/TrainingCpuCalls.h"

#include "dialect/IR/Checks.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

CpuCalls::Columns CpuCalls::columns(Value value) {
  int64_t offset = 0;
  while (auto op = value.getDefiningOp<ColumnsOp>()) {
    offset += static_cast<int64_t>(op.getOffset());
    value = op.getInput();
  }
  return {value, {columnsOf(value), offset}};
}

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

/// The format of a product's weights. A router's stay as they are: a token's whole way hangs on them.
cpu::WeightFormat CpuCalls::weightFormat(FusedLinearOp op) const {
  auto isRouter = [](Value weight) {
    auto param = weight.getDefiningOp<ParamOp>();
    return param && param.getName().contains(".router.");
  };
  if (target.quantised && !llvm::any_of(op.getWeights(), isRouter)) {
    return *target.quantised;
  }
  return elementOf(op.getInput()).isF32() ? cpu::WeightFormat::F32 : cpu::WeightFormat::BF16;
}

LogicalResult CpuCalls::lowerLinear(FusedLinearOp op) {
  Columns x = columns(op.getInput());
  Value own = op.getGather() ? Value(op.getGather()) : rowsOf(x.matrix);
  if (!own) {
    return op.emitOpError("nothing says which rows its input has");
  }
  cpu::LinearSpec spec;
  spec.inputs = columnsOf(op.getInput());
  spec.outputs = columnsOf(op.getResult());
  spec.in = scalarOf(op.getInput());
  spec.out = scalarOf(op.getResult());
  spec.x = x.view;
  spec.gather = bool(op.getGather());
  spec.epilogue = static_cast<cpu::Epilogue>(op.getEpilogue());
  if (op.getActivation())
    spec.activation = activationOf(op);
  spec.scatter = op.getResidual() && own != rowsOf(op.getResidual());
  spec.gated = bool(op.getGate());
  spec.gateMatrix = op.getGateColumn().has_value();
  spec.weight = weightFormat(op);
  cpu::PackedLayout layout = packedLayout(target.isa, spec);
  rewriter.setInsertionPoint(op);
  auto packed = rewriter.create<PackOp>(op.getLoc(), PackedType::get(op.getContext()), op.getWeights(),
                                        nameOf(layout.format), layout.panel, layout.group, layout.interleaved);
  KernelCall call(rewriter, op);
  call.rows(own).in(x.matrix).in(packed.getResult()).optional(op.getGate());
  if (op.getResidual()) {
    call.update(op.getResidual());
  } else {
    call.out(op.getResult().getType());
  }
  if (spec.gateMatrix) {
    call.constant(static_cast<int64_t>(*op.getGateColumn())).constant(columnsOf(op.getGate()));
  }
  call.replace(getOrEmit(kernels, target.isa, spec));
  return success();
}

//===----------------------------------------------------------------------===//
// Row by row
//===----------------------------------------------------------------------===//

/// A NormOp or a FusedNormOp.
template <typename Op> void CpuCalls::lowerNorm(Op op) {
  cpu::NormSpec spec{columnsOf(op.getInput()),
                     op.getKind() == NormKind::RMS ? cpu::NormKind::RMS : cpu::NormKind::Layer,
                     op.getEps().convertToDouble(),
                     /*exact=*/false,
                     /*rounded=*/false,
                     int64_t(op.getGroups()),
                     op.getUnitOffset()};
  KernelCall call(rewriter, op);
  call.start(rowsOf(op.getInput())).in({op.getInput(), op.getWeight()}).optional(op.getBias());
  for (Value result : op->getResults()) {
    (elementOf(result).isBF16() ? spec.rounded : spec.exact) = true;
    call.out(result.getType());
  }
  call.replace(getOrEmit(kernels, target.isa, spec));
}

/// A GatedNormOp or a FusedGatedNormOp.
template <typename Op> void CpuCalls::lowerGatedNorm(Op op) {
  Columns z = columns(op.getGate());
  cpu::GatedNormSpec spec{columnsOf(op.getInput()), int64_t(op.getGroups()), op.getEps().convertToDouble(), z.view,
                          scalarOf(op.getResult())};
  KernelCall(rewriter, op)
      .start(rowsOf(op.getInput()))
      .in({op.getInput(), z.matrix, op.getWeight()})
      .out(op.getResult().getType())
      .replace(getOrEmit(kernels, target.isa, spec));
}

void CpuCalls::lowerRope(FusedRopeOp op) {
  Columns q = columns(op.getQuery()), k = columns(op.getKey()), v = columns(op.getValue());
  int64_t heads = op.getHeads();
  cpu::RopeSpec spec{
      heads,  int64_t(op.getKvHeads()),  columnsOf(op.getQuery()) / heads, columnsOf(op.getTable()), q.view, k.view,
      v.view, scalarOf(op.getQueryOut())};
  KernelCall(rewriter, op)
      .rows(op.getRows())
      .in({op.getTable(), q.matrix, k.matrix, v.matrix})
      .out(op.getQueryOut().getType())
      .out(op.getKeyOut().getType())
      .out(op.getValueOut().getType())
      .replace(getOrEmit(kernels, target.isa, spec));
}

/// Rotary embedding that was not fused, as of queries with fewer rows than the keys. The angles come from a table here
/// too, which is made at the start of the step.
void CpuCalls::lowerLoneRope(RopeOp op) {
  Value &table = loneTables[op.getFrequenciesAttr()];
  int64_t rotated = 2 * static_cast<int64_t>(op.getFrequencies().size());
  if (!table) {
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(op->getBlock());
    cpu::RopeTableSpec spec{std::vector<double>(op.getFrequencies())};
    table = KernelCall(rewriter, op)
                .rows(arguments.batch)
                .out(RankedTensorType::get({ShapedType::kDynamic, rotated}, rewriter.getF32Type()))
                .emit(getOrEmit(kernels, target.isa, spec))
                .front();
  }
  Columns x = columns(op.getInput());
  int64_t heads = op.getHeads();
  cpu::RopeSpec spec{heads,       /*kvHeads=*/0,      columnsOf(op.getInput()) / heads, rotated, x.view, cpu::View(),
                     cpu::View(), kernel::Scalar::F32};
  KernelCall(rewriter, op)
      .rows(op.getRows())
      .in({table, x.matrix})
      .out(op.getResult().getType())
      .replace(getOrEmit(kernels, target.isa, spec));
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

static cpu::CacheSpec cacheSpec(Type type) {
  auto cache = cast<KeyValueTypeInterface>(type);
  auto ring = dyn_cast<RingType>(type);
  return {ring ? cpu::CacheKind::Ring : cpu::CacheKind::List,
          cache.getHeads(),
          cache.getDim(),
          ring ? ring.getWindow() : 0,
          !isa<NoneType>(cache.getWeights()),
          scalarOf(cache.getElement())};
}

LogicalResult CpuCalls::lowerAttend(FusedAttendOp op) {
  bool separate = op.getOwn() != op.getRows();
  if (separate && op.getRows() != arguments.batch) {
    return op.emitOpError("attends from a part of its keys' rows, which must then be the whole batch");
  }
  cpu::CacheSpec cache = cacheSpec(op.getCache().getType());
  if (op.getKey() && cache.kind == cpu::CacheKind::List) {
    return op.emitOpError("reads a list before the step's entries are appended to it, for which the cpu target has no "
                          "kernel");
  }
  cpu::AttendSpec spec{cache,
                       columnsOf(op.getQuery()) / cache.headSize,
                       op.getScale().convertToDouble(),
                       separate,
                       !op.getKey(),
                       scalarOf(op.getResult()),
                       softCapOf(op)};
  if (target.singleRows && spec.committed && cache.kind == cpu::CacheKind::List) {
    lowerSplitAttend(op, spec);
    return success();
  }
  KernelCall call(rewriter, op);
  call.rows(op.getOwn()).rows(op.getRows()).in(op.getQuery());
  if (!spec.committed) {
    call.in({op.getKey(), op.getValue()}).optional(op.getWrite());
  }
  call.in(op.getCache()).out(op.getResult().getType()).replace(getOrEmit(kernels, target.isa, spec));
  return success();
}

/// A step of few rows over long lists: the entries are split over blocks too.
void CpuCalls::lowerSplitAttend(FusedAttendOp op, const cpu::AttendSpec &spec) {
  cpu::SplitAttend split = getOrEmitSplit(kernels, target.isa, spec);
  Type partialType = RankedTensorType::get(
      {ShapedType::kDynamic, spec.heads * cpu::parts * cpu::partialWidth(spec.cache.headSize)}, rewriter.getF32Type());
  Value partial = KernelCall(rewriter, op)
                      .rows(op.getOwn())
                      .rows(op.getRows())
                      .in(op.getQuery())
                      .in(op.getCache())
                      .out(partialType)
                      .emit(split.parts)
                      .front();
  KernelCall(rewriter, op)
      .rows(op.getOwn())
      .rows(op.getRows())
      .start(op.getCache())
      .in(partial)
      .out(op.getResult().getType())
      .replace(split.merge);
}

void CpuCalls::lowerAppend(AppendOp op) {
  KernelCall(rewriter, op)
      .rows(op.getRows())
      .in({op.getKey(), op.getValue()})
      .optional(op.getWrite())
      .update(op.getCache())
      .replace(getOrEmit(kernels, target.isa, cpu::AppendSpec{cacheSpec(op.getCache().getType())}));
}

//===----------------------------------------------------------------------===//
// Recurrences
//===----------------------------------------------------------------------===//

void CpuCalls::lowerConv(FusedConvOp op) {
  Columns x = columns(op.getInput());
  cpu::ConvSpec spec{columnsOf(op.getInput()), columnsOf(op.getWeight()), op.getActivation() == Activation::SiLU,
                     op.getAddInput(), x.view};
  KernelCall call(rewriter, op);
  call.rows(op.getRows()).in({x.matrix, op.getWeight(), op.getBias()});
  if (op.getTail()) {
    call.update(op.getTail());
  }
  call.out(op.getResult().getType()).replace(getOrEmit(kernels, target.isa, spec));
}

void CpuCalls::lowerSsmScan(SsmScanOp op) {
  StateType state = op.getState().getType();
  Columns dt = columns(op.getDt());
  cpu::SsmScanSpec spec{state.getHeads(),
                        state.getDim(),
                        state.getSize(),
                        int64_t(op.getGroups()),
                        op.getDtMin().convertToDouble(),
                        op.getDtMax().convertToDouble(),
                        bool(op.getWrite()),
                        dt.view};
  KernelCall(rewriter, op)
      .rows(op.getRows())
      .in({op.getXbc(), dt.matrix, op.getALog(), op.getSkip(), op.getDtBias()})
      .optional(op.getWrite())
      .update(op.getState())
      .out(op.getResult().getType())
      .replace(getOrEmit(kernels, target.isa, spec));
}

void CpuCalls::lowerLtiScan(LtiScanOp op) {
  cpu::LtiScanSpec spec{op.getState().getType().getSize(), bool(op.getWrite())};
  KernelCall(rewriter, op)
      .rows(op.getRows())
      .in({op.getInput(), op.getDecay()})
      .optional(op.getWrite())
      .update(op.getState())
      .out(op.getResult().getType())
      .replace(getOrEmit(kernels, target.isa, spec));
}

//===----------------------------------------------------------------------===//
// Any op
//===----------------------------------------------------------------------===//

/// This target computes in f32. An op in f64 has a ref kernel, unless it is fused, or uses a cache that lies in memory
/// as this target wants it.
LogicalResult CpuCalls::lowerInF64(Operation *op) {
  if (isa<FusedLinearOp, FusedNormOp, FusedGatedNormOp, RopeTableOp, FusedRopeOp, FusedAttendOp, FusedConvOp, AppendOp>(
          op)) {
    return op->emitOpError("is in f64, for which the cpu target has no kernel");
  }
  return refCalls.lower(op);
}

LogicalResult CpuCalls::lower(Operation *op) {
  // Kernels read columns of a wider matrix where they are; the op was only a name for them.
  if (auto view = dyn_cast<ColumnsOp>(op); view && view->use_empty()) {
    rewriter.eraseOp(op);
    return success();
  }
  // Parameters stay, and what is lowered already.
  if (!isa<ChimeraDialect>(op->getDialect()) || isa<ParamOp, PackOp, CallOp, SliceRowsOp>(op)) {
    return success();
  }
  if (failed(checkLaunch(op))) {
    return failure();
  }
  if (isa<AttendOp>(op)) {
    return op->emitOpError("must be fused (chimera-fuse-attention) before cpu kernels are chosen, which keep caches in "
                           "blocks");
  }
  rewriter.setInsertionPoint(op);
  if (target.training && TrainingCpuCalls(rewriter, kernels, target.isa).lower(op)) {
    return success();
  }
  return hasF64(op) ? lowerInF64(op) : lowerOne(op);
}

LogicalResult CpuCalls::lowerOne(Operation *op) {
  bool lowered = true;
  if (auto linear = dyn_cast<FusedLinearOp>(op)) {
    return lowerLinear(linear);
  }
  if (auto attend = dyn_cast<FusedAttendOp>(op)) {
    return lowerAttend(attend);
  }
  TypeSwitch<Operation *>(op)
      .Case([&](FusedNormOp norm) { lowerNorm(norm); })
      .Case([&](NormOp norm) { lowerNorm(norm); })
      .Case([&](FusedGatedNormOp norm) { lowerGatedNorm(norm); })
      .Case([&](GatedNormOp norm) { lowerGatedNorm(norm); })
      .Case([&](SoftCapOp capped) {
        cpu::SoftCapSpec spec{columnsOf(capped.getInput()), capped.getCap().convertToDouble()};
        KernelCall(rewriter, op)
            .start(rowsOf(capped.getResult()))
            .in(capped.getInput())
            .out(capped.getResult().getType())
            .replace(getOrEmit(kernels, target.isa, spec));
      })
      .Case([&](RopeTableOp table) {
        cpu::RopeTableSpec spec{std::vector<double>(table.getFrequencies())};
        KernelCall(rewriter, op)
            .rows(table.getRows())
            .out(table.getResult().getType())
            .replace(getOrEmit(kernels, target.isa, spec));
      })
      .Case([&](FusedRopeOp rope) { lowerRope(rope); })
      .Case([&](RopeOp rope) {
        lowered = !rope.getInverse() && arguments.batch;
        lowered ? lowerLoneRope(rope) : void();
      })
      .Case([&](AppendOp append) { lowerAppend(append); })
      .Case([&](FusedConvOp conv) { lowerConv(conv); })
      .Case([&](SsmScanOp scan) { lowerSsmScan(scan); })
      .Case([&](LtiScanOp scan) { lowerLtiScan(scan); })
      .Default([&](Operation *) { lowered = false; });
  return lowered ? success() : refCalls.lower(op);
}
