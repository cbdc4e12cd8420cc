// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/kernel/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace chimera::kernel {

void registerKernelDialects(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect, scf::SCFDialect,
                  vector::VectorDialect>();
}

void loadKernelDialects(MLIRContext &context) {
  context.loadDialect<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect, scf::SCFDialect,
                      vector::VectorDialect>();
}

int64_t byteSize(Scalar type) {
  return type == Scalar::F64 ? 8 : type == Scalar::F32 ? 4 : 2;
}

Elem elemOf(Scalar type) {
  return type == Scalar::F64 ? Elem::F64 : type == Scalar::F32 ? Elem::F32 : Elem::BF16;
}

Elem rawElemOf(Scalar type) {
  return type == Scalar::F64 ? Elem::I64 : type == Scalar::F32 ? Elem::I32 : Elem::I16;
}

// Buffers.

static Type storageType(OpBuilder &ops, Elem elem) {
  switch (elem) {
  case Elem::I8:
    return ops.getI8Type();
  case Elem::I16:
  case Elem::BF16:
    return ops.getI16Type();
  case Elem::I32:
    return ops.getI32Type();
  case Elem::I64:
    return ops.getI64Type();
  case Elem::F64:
    return ops.getF64Type();
  case Elem::F32:
    return ops.getF32Type();
  }
  llvm_unreachable("every element type is listed");
}

Value Buffer::address(Value index) const {
  return builder->ops.create<LLVM::GEPOp>(builder->loc, LLVM::LLVMPointerType::get(builder->ops.getContext()),
                                          storageType(builder->ops, elem), pointer, ArrayRef<LLVM::GEPArg>{index});
}

Val Buffer::widened(Val stored) const {
  return elem == Elem::BF16 ? widenBF16(stored) : stored;
}

/// As the element type stores it; integers of vectors have its width already.
Val Buffer::narrowed(Val value) const {
  Type type = storageType(builder->ops, elem);
  if (elem == Elem::BF16)
    return narrowBF16(value);
  return isa<FloatType>(type) ? toFloat(value, type) : value;
}

Val Buffer::load(Val index) const {
  Val stored = {builder,
                builder->ops.create<LLVM::LoadOp>(builder->loc, storageType(builder->ops, elem), address(index.value))};
  bool narrowInteger = elem == Elem::I8 || elem == Elem::I16 || elem == Elem::I32;
  return narrowInteger ? signExtend(stored, builder->i64Type()) : widened(stored);
}

Val Buffer::load(int64_t index) const {
  return load(builder->integer(index));
}

void Buffer::store(Val index, Val value) const {
  bool narrowInteger = elem == Elem::I8 || elem == Elem::I16 || elem == Elem::I32;
  value = narrowInteger ? truncate(value, storageType(builder->ops, elem)) : narrowed(value);
  builder->ops.create<LLVM::StoreOp>(builder->loc, value.value, address(index.value));
}

/// Vectors may lie at any multiple of their elements' size.
static unsigned alignmentOf(Type element) {
  return element.getIntOrFloatBitWidth() / 8;
}

Val Buffer::loadVector(Val index, int64_t lanes) const {
  Type element = storageType(builder->ops, elem), type = builder->vectorType(element, lanes);
  return widened(
      {builder, builder->ops.create<LLVM::LoadOp>(builder->loc, type, address(index.value), alignmentOf(element))});
}

Val Buffer::loadVector(Val index, int64_t lanes, Val mask) const {
  OpBuilder &ops = builder->ops;
  Type element = storageType(ops, elem);
  auto type = cast<VectorType>(builder->vectorType(element, lanes));
  Value zero = ops.create<arith::ConstantOp>(builder->loc, ops.getZeroAttr(type));
  return widened({builder, ops.create<LLVM::MaskedLoadOp>(builder->loc, type, address(index.value), mask.value, zero,
                                                          alignmentOf(element))});
}

void Buffer::storeVector(Val index, Val vector) const {
  unsigned alignment = alignmentOf(storageType(builder->ops, elem));
  builder->ops.create<LLVM::StoreOp>(builder->loc, narrowed(vector).value, address(index.value), alignment);
}

void Buffer::storeVector(Val index, Val vector, Val mask) const {
  unsigned alignment = alignmentOf(storageType(builder->ops, elem));
  builder->ops.create<LLVM::MaskedStoreOp>(builder->loc, narrowed(vector).value, address(index.value), mask.value,
                                           alignment);
}

void Buffer::prefetch(Val index, int locality) const {
  builder->ops.create<LLVM::Prefetch>(builder->loc, address(index.value), /*rw=*/0, locality, /*cache=*/1);
}

Buffer Buffer::at(Val offset) const {
  return {*builder, address(offset.value), elem};
}

Buffer Buffer::atByte(Val bytes, Elem newElem) const {
  Buffer raw(*builder, pointer, Elem::I8);
  return {*builder, raw.address(bytes.value), newElem};
}

// Functions.

KernelBuilder::KernelBuilder(ModuleOp module, StringRef name, FunctionType type)
    : module(module), ops(OpBuilder::atBlockEnd(module.getBody())),
      loc(NameLoc::get(StringAttr::get(module.getContext(), name))) {
  function = ops.create<func::FuncOp>(loc, name, type);
  // Keeps the optimiser from turning loops into calls of a C library that is not there.
  function->setAttr("passthrough", ops.getStrArrayAttr({"no-builtins", "nounwind"}));
  ops.setInsertionPointToStart(function.addEntryBlock());
}

void KernelBuilder::finish(ArrayRef<Val> results) {
  ops.create<func::ReturnOp>(loc, llvm::map_to_vector(results, [](Val v) { return v.value; }));
}

void KernelBuilder::setInternal() {
  function.setPrivate();
  function->setAttr("llvm.linkage", LLVM::LinkageAttr::get(ops.getContext(), LLVM::Linkage::Internal));
}

Val KernelBuilder::integer(int64_t value) {
  return {this, ops.create<arith::ConstantIntOp>(loc, value, 64)};
}

Type KernelBuilder::vectorType(Type lane, int64_t lanes) {
  return VectorType::get({lanes}, lane);
}

Val KernelBuilder::real(double value, Type type) {
  TypedAttr attr = FloatAttr::get(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, cast<Attribute>(attr));
  return {this, ops.create<arith::ConstantOp>(loc, attr)};
}

Buffer KernelBuilder::bufferAt(Val index, Elem elem) {
  Type pointer = LLVM::LLVMPointerType::get(ops.getContext());
  Value slot = ops.create<LLVM::GEPOp>(loc, pointer, pointer, parameter(0).value, ArrayRef<LLVM::GEPArg>{index.value});
  return {*this, ops.create<LLVM::LoadOp>(loc, pointer, slot), elem};
}

Buffer KernelBuilder::buffer(Elem elem) {
  return bufferAt(integer(nextBuffer++), elem);
}

Buffer KernelBuilder::constants(StringRef name, ArrayRef<double> values) {
  auto count = static_cast<int64_t>(values.size());
  auto global = module.lookupSymbol<LLVM::GlobalOp>(name);
  if (!global) {
    OpBuilder::InsertionGuard guard(ops);
    ops.setInsertionPointToStart(module.getBody());
    global = ops.create<LLVM::GlobalOp>(loc, LLVM::LLVMArrayType::get(f64Type(), count), /*isConstant=*/true,
                                        LLVM::Linkage::Internal, name,
                                        DenseElementsAttr::get(RankedTensorType::get({count}, f64Type()), values));
  }
  return {*this, ops.create<LLVM::AddressOfOp>(loc, global), Elem::F64};
}

Buffer KernelBuilder::scratch(Elem elem, int64_t count) {
  OpBuilder::InsertionGuard guard(ops);
  // In the entry block: once a call, not once an iteration.
  ops.setInsertionPointToStart(&function.getBody().front());
  Value size = ops.create<arith::ConstantIntOp>(loc, count, 64);
  Type pointer = LLVM::LLVMPointerType::get(ops.getContext());
  return {*this, ops.create<LLVM::AllocaOp>(loc, pointer, storageType(ops, elem), size, /*alignment=*/64), elem};
}

Rows KernelBuilder::rows() {
  Rows rows;
  rows.index = buffer(Elem::I32);
  rows.start = buffer(Elem::I32);
  rows.position = buffer(Elem::I64);
  rows.sequence = buffer(Elem::I32);
  rows.slot = buffer(Elem::I32);
  return rows;
}

Val KernelBuilder::argument(int64_t index) {
  return Buffer(*this, parameter(1).value, Elem::I64).load(integer(index));
}

// Control flow.

static SmallVector<Value> valuesOf(ArrayRef<Val> vals) {
  return llvm::map_to_vector(vals, [](Val v) { return v.value; });
}

SmallVector<Val> KernelBuilder::foldMany(Val low, Val high, ArrayRef<Val> initial,
                                         function_ref<SmallVector<Val>(Val, ArrayRef<Val>)> body, int64_t step) {
  auto wrap = [&](ValueRange values) { return llvm::map_to_vector(values, [&](Value v) { return Val{this, v}; }); };
  Val stride = integer(step);
  auto loop = ops.create<scf::ForOp>(loc, low.value, high.value, stride.value, valuesOf(initial));
  {
    OpBuilder::InsertionGuard guard(ops);
    // A loop that carries nothing is born with its terminator.
    if (initial.empty())
      ops.setInsertionPoint(loop.getBody()->getTerminator());
    else
      ops.setInsertionPointToStart(loop.getBody());
    SmallVector<Val> next = body({this, loop.getInductionVar()}, wrap(loop.getRegionIterArgs()));
    if (!initial.empty())
      ops.create<scf::YieldOp>(loc, valuesOf(next));
  }
  return wrap(loop.getResults());
}

void KernelBuilder::forEach(Val low, Val high, function_ref<void(Val)> body, int64_t step) {
  foldMany(
      low, high, {},
      [&](Val index, ArrayRef<Val>) {
        body(index);
        return SmallVector<Val>();
      },
      step);
}

Val KernelBuilder::fold(Val low, Val high, Val initial, function_ref<Val(Val, Val)> body) {
  return foldMany(low, high, {initial},
                  [&](Val index, ArrayRef<Val> carried) { return SmallVector<Val>{body(index, carried[0])}; })[0];
}

void KernelBuilder::either(Val condition, function_ref<void()> then, function_ref<void()> otherwise) {
  auto branch = ops.create<scf::IfOp>(loc, condition.value, /*withElseRegion=*/bool(otherwise));
  OpBuilder::InsertionGuard guard(ops);
  ops.setInsertionPoint(branch.thenBlock()->getTerminator());
  then();
  if (!otherwise)
    return;
  ops.setInsertionPoint(branch.elseBlock()->getTerminator());
  otherwise();
}

void KernelBuilder::when(Val condition, function_ref<void()> then) {
  either(condition, then, {});
}

Val KernelBuilder::choose(Val condition, function_ref<Val()> then, function_ref<Val()> otherwise) {
  auto branch = ops.create<scf::IfOp>(
      loc, condition.value,
      [&](OpBuilder &nested, Location) {
        OpBuilder::InsertionGuard guard(ops);
        ops.restoreInsertionPoint(nested.saveInsertionPoint());
        ops.create<scf::YieldOp>(loc, then().value);
      },
      [&](OpBuilder &nested, Location) {
        OpBuilder::InsertionGuard guard(ops);
        ops.restoreInsertionPoint(nested.saveInsertionPoint());
        ops.create<scf::YieldOp>(loc, otherwise().value);
      });
  return {this, branch.getResult(0)};
}

SmallVector<Val> KernelBuilder::call(func::FuncOp callee, ArrayRef<Val> operands) {
  auto op = ops.create<func::CallOp>(loc, callee, valuesOf(operands));
  return llvm::map_to_vector(op.getResults(), [&](Value v) { return Val{this, v}; });
}

Val KernelBuilder::intrinsic(StringRef name, Type result, ArrayRef<Val> operands) {
  auto call = ops.create<LLVM::CallIntrinsicOp>(loc, result ? TypeRange(result) : TypeRange(), ops.getStringAttr(name),
                                                valuesOf(operands), LLVM::FastmathFlagsAttr());
  return {this, result ? call.getResult(0) : Value()};
}

func::FuncOp emitInternal(ModuleOp module, const std::string &name, ArrayRef<Type> operands, ArrayRef<Type> results,
                          function_ref<SmallVector<Val>(KernelBuilder &)> body) {
  if (auto function = module.lookupSymbol<func::FuncOp>(name))
    return function;
  KernelBuilder k(module, name, FunctionType::get(module.getContext(), operands, results));
  k.setInternal();
  k.finish(body(k));
  return module.lookupSymbol<func::FuncOp>(name);
}

std::string emitKernel(ModuleOp module, const std::string &symbol, function_ref<void(KernelBuilder &)> body) {
  if (module.lookupSymbol(symbol))
    return symbol;
  Builder types(module.getContext());
  Type pointer = LLVM::LLVMPointerType::get(module.getContext()), i64 = types.getI64Type();
  KernelBuilder k(module, symbol, types.getFunctionType({pointer, pointer, i64, i64}, {}));
  body(k);
  k.finish();
  return symbol;
}

void forEachRow(KernelBuilder &k, const Buffer &start, function_ref<void(Val)> body) {
  k.forEach(k.begin(), min(k.end(), k.rowCount(start)), body);
}

void forEachGroup(KernelBuilder &k, Val first, int64_t groups, int64_t size, function_ref<void(Val)> body) {
  if (groups == 1)
    return body(first);
  k.forEach(0, groups, [&](Val group) { body(first + group * size); });
}

// Symbols.

std::string nameOf(Scalar type) {
  return type == Scalar::F64 ? "f64" : type == Scalar::F32 ? "f32" : "bf16";
}

std::string nameOf(double value) {
  std::string text, name;
  // 17 digits tell every double from every other.
  llvm::raw_string_ostream(text) << llvm::format("%.17g", value);
  for (char c : text)
    if (c != '+')
      name += c == '-' ? 'm' : c == '.' ? 'p' : c;
  return name;
}

std::string nameOf(ArrayRef<int> values) {
  return llvm::join(llvm::map_range(values, [](int v) { return std::to_string(v); }), "");
}

Val unitOffset(Val weight, bool hasOffset) {
  return hasOffset ? weight.builder->real(1, weight.value.getType()) + weight : weight;
}

std::string nameOf(Activation activation) {
  switch (activation) {
  case Activation::None:
    return {};
  case Activation::Silu:
    return "silu";
  case Activation::GeluTanh:
    return "gelu_tanh";
  case Activation::Relu2:
    return "relu2";
  }
  llvm_unreachable("every activation is listed");
}

std::string groupsName(int64_t groups) {
  return groups == 1 ? std::string() : "groups" + std::to_string(groups);
}

std::string symbolOf(std::initializer_list<std::string> pieces) {
  std::string symbol = "chimera";
  for (const std::string &piece : pieces)
    if (!piece.empty())
      symbol += "_" + piece;
  return symbol;
}

} // namespace chimera::kernel
