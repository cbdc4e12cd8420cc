// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nvptx/GpuBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace chimera::nvptx {

static constexpr unsigned globalSpace = 1, sharedSpace = 3;

GpuBuilder::GpuBuilder(ModuleOp module, StringRef name, int64_t threads)
    : builder(module.getContext()), module(module) {
  builder.setInsertionPointToEnd(module.getBody());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(builder.getContext()), {});
  auto func = builder.create<LLVM::LLVMFuncOp>(location(), name, type);
  func->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), builder.getUnitAttr());
  func->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(),
                builder.getDenseI32ArrayAttr({static_cast<int32_t>(threads), 1, 1}));
  function = func;
  builder.setInsertionPointToStart(func.addEntryBlock(builder));
}

void GpuBuilder::finish() {
  builder.create<LLVM::ReturnOp>(location(), ValueRange());
  auto func = cast<LLVM::LLVMFuncOp>(function);
  SmallVector<Type> params(func.getBody().front().getArgumentTypes());
  func.setFunctionType(LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(builder.getContext()), params));
}

Val GpuBuilder::addParameter(Type type) {
  return wrap(cast<LLVM::LLVMFuncOp>(function).getBody().front().addArgument(type, location()));
}

Val GpuBuilder::constant(int64_t value, Type type) {
  return wrap(builder.create<arith::ConstantOp>(location(), builder.getIntegerAttr(type, value)));
}

Val GpuBuilder::real(double value, Type type) {
  return wrap(builder.create<arith::ConstantOp>(location(), builder.getFloatAttr(type, value)));
}

Pointer GpuBuilder::nextPointer(Type element) {
  return Pointer(addParameter(LLVM::LLVMPointerType::get(builder.getContext(), globalSpace)), element);
}

Val GpuBuilder::nextScalar() {
  return addParameter(i64());
}

Val GpuBuilder::thread() {
  return intrinsic("llvm.nvvm.read.ptx.sreg.tid.x", i32(), {})[0];
}
Val GpuBuilder::block() {
  return intrinsic("llvm.nvvm.read.ptx.sreg.ctaid.x", i32(), {})[0];
}
Val GpuBuilder::blocks() {
  return intrinsic("llvm.nvvm.read.ptx.sreg.nctaid.x", i32(), {})[0];
}

Pointer GpuBuilder::shared(StringRef name, int64_t bytes, Type element) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(module.getBody());
  std::string symbol = (cast<LLVM::LLVMFuncOp>(function).getName() + "_" + name).str();
  auto global =
      builder.create<LLVM::GlobalOp>(location(), LLVM::LLVMArrayType::get(i8(), bytes), /*isConstant=*/false,
                                     LLVM::Linkage::Internal, symbol, Attribute(), /*alignment=*/128, sharedSpace);
  // Shared memory starts undefined; NVPTX accepts no other initial value there.
  builder.createBlock(&global.getInitializerRegion());
  Value undefined = builder.create<LLVM::UndefOp>(location(), global.getType());
  builder.create<LLVM::ReturnOp>(location(), undefined);
  builder.setInsertionPointToStart(&cast<LLVM::LLVMFuncOp>(function).getBody().front());
  return Pointer(wrap(builder.create<LLVM::AddressOfOp>(location(), global)), element);
}

SmallVector<Val> GpuBuilder::loop(Val from, Val to, int64_t step, ArrayRef<Val> carried,
                                  function_ref<SmallVector<Val>(Val, ArrayRef<Val>)> body) {
  auto values = llvm::map_to_vector(carried, [](Val v) { return v.value; });
  Val stride = constant(step, from.type());
  auto op = builder.create<scf::ForOp>(location(), from.value, to.value, stride.value, values);
  {
    OpBuilder::InsertionGuard guard(builder);
    Block *block = op.getBody();
    if (carried.empty()) // with nothing carried the op makes its own yield
      builder.setInsertionPoint(block->getTerminator());
    else
      builder.setInsertionPointToEnd(block);
    auto args = llvm::map_to_vector(op.getRegionIterArgs(), [&](Value v) { return wrap(v); });
    SmallVector<Val> next = body(wrap(op.getInductionVar()), args);
    if (!carried.empty())
      builder.create<scf::YieldOp>(location(), llvm::map_to_vector(next, [](Val v) { return v.value; }));
  }
  return llvm::map_to_vector(op.getResults(), [&](Value v) { return wrap(v); });
}

void GpuBuilder::loop(Val from, Val to, int64_t step, function_ref<void(Val)> body) {
  loop(from, to, step, {}, [&](Val i, ArrayRef<Val>) {
    body(i);
    return SmallVector<Val>();
  });
}

void GpuBuilder::ifThen(Val condition, function_ref<void()> body) {
  auto op = builder.create<scf::IfOp>(location(), condition.value, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(op.thenYield());
  body();
}

SmallVector<Val> GpuBuilder::ifElse(Val condition, ArrayRef<Type> types, function_ref<SmallVector<Val>()> yes,
                                    function_ref<SmallVector<Val>()> no) {
  auto op = builder.create<scf::IfOp>(location(), TypeRange(types), condition.value, /*withElseRegion=*/true);
  auto fill = [&](Block *block, function_ref<SmallVector<Val>()> body) {
    OpBuilder::InsertionGuard guard(builder);
    if (types.empty()) { // the op has made its yields itself
      builder.setInsertionPoint(block->getTerminator());
      body();
      return;
    }
    builder.setInsertionPointToEnd(block);
    builder.create<scf::YieldOp>(location(), llvm::map_to_vector(body(), [](Val v) { return v.value; }));
  };
  fill(op.thenBlock(), yes);
  fill(op.elseBlock(), no);
  return llvm::map_to_vector(op.getResults(), [&](Value v) { return wrap(v); });
}

void GpuBuilder::countDown(Val from, function_ref<Val(Val)> condition, function_ref<void(Val)> body) {
  auto op = builder.create<scf::WhileOp>(location(), TypeRange(from.type()), ValueRange(from.value));
  OpBuilder::InsertionGuard guard(builder);
  Block *before = builder.createBlock(&op.getBefore(), {}, from.type(), location());
  builder.create<scf::ConditionOp>(location(), condition(wrap(before->getArgument(0))).value, before->getArguments());
  Block *after = builder.createBlock(&op.getAfter(), {}, from.type(), location());
  Val i = wrap(after->getArgument(0));
  body(i);
  builder.create<scf::YieldOp>(location(), (i - 1).value);
}

void GpuBuilder::warpBarrier() {
  intrinsic("llvm.nvvm.bar.warp.sync", {}, constant(-1));
}

void GpuBuilder::barrier() {
  intrinsic("llvm.nvvm.barrier0", {}, {});
}

Val GpuBuilder::shuffle(StringRef kind, Val value, Val lanes, int64_t clamp) {
  if (value.type() == f64()) { // the instruction moves 32 bits
    Val bits = bitcast(value, i64());
    Val low = shuffle(kind, convert(bits, i32()), lanes, clamp);
    Val high = shuffle(kind, convert(shiftRight(bits, 32), i32()), lanes, clamp);
    return bitcast(zeroExtend(low, i64()) | shiftLeft(zeroExtend(high, i64()), 32), f64());
  }
  std::string name = ("llvm.nvvm.shfl.sync." + kind + (value.type() == f32() ? ".f32" : ".i32")).str();
  return intrinsic(name, value.type(), {constant(-1), value, lanes, constant(clamp)})[0];
}

Val GpuBuilder::shuffleXor(Val value, int64_t lanes) {
  return shuffle("bfly", value, constant(lanes), 31);
}
Val GpuBuilder::shuffleUp(Val value, int64_t lanes) {
  return shuffle("up", value, constant(lanes), 0);
}
Val GpuBuilder::shuffleFrom(Val value, Val from) {
  return shuffle("idx", value, from, 31);
}

Val GpuBuilder::ballot(Val predicate) {
  return intrinsic("llvm.nvvm.vote.ballot.sync", i32(), {constant(-1), predicate})[0];
}

Val GpuBuilder::popcount(Val bits) {
  return intrinsic("llvm.ctpop.i32", i32(), bits)[0];
}

Val GpuBuilder::warpSum(Val value) {
  for (int64_t lanes = 16; lanes > 0; lanes /= 2)
    value = value + shuffleXor(value, lanes);
  return value;
}

/// One value as it is, several as a literal struct.
static Type packedType(MLIRContext *context, ArrayRef<Type> results) {
  return results.size() == 1 ? results[0] : Type(LLVM::LLVMStructType::getLiteral(context, results));
}

static SmallVector<Val> unpack(GpuBuilder &b, Operation *op, ArrayRef<Type> results) {
  if (results.empty())
    return {};
  if (results.size() == 1)
    return {b.wrap(op->getResult(0))};
  SmallVector<Val> values;
  for (int64_t i = 0, e = results.size(); i < e; ++i)
    values.push_back(
        b.wrap(b.ops().create<LLVM::ExtractValueOp>(b.location(), op->getResult(0), ArrayRef<int64_t>(i))));
  return values;
}

SmallVector<Val> GpuBuilder::intrinsic(StringRef name, ArrayRef<Type> results, ArrayRef<Val> args) {
  auto values = llvm::map_to_vector(args, [](Val v) { return v.value; });
  SmallVector<Type> types;
  if (!results.empty())
    types.push_back(packedType(builder.getContext(), results));
  auto op = builder.create<LLVM::CallIntrinsicOp>(location(), TypeRange(types), name, values);
  return unpack(*this, op, results);
}

SmallVector<Val> GpuBuilder::ptx(StringRef text, StringRef constraints, ArrayRef<Type> results, ArrayRef<Val> args) {
  auto values = llvm::map_to_vector(args, [](Val v) { return v.value; });
  SmallVector<Type> types;
  if (!results.empty())
    types.push_back(packedType(builder.getContext(), results));
  auto op = builder.create<LLVM::InlineAsmOp>(
      location(), types, values, text, constraints, /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::AsmDialectAttr::get(builder.getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr());
  return unpack(*this, op, results);
}

} // namespace chimera::nvptx
