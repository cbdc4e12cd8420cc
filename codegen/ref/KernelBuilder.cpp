// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace chimera::ref {

void registerKernelDialects(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect, scf::SCFDialect>();
}

void loadKernelDialects(MLIRContext &context) {
  context.loadDialect<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect, scf::SCFDialect>();
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

// Values.

template <typename IntOp, typename FloatOp> static Val arithmetic(Val a, Val b) {
  OpBuilder &ops = a.builder->ops;
  if (isa<FloatType>(a.value.getType()))
    return {a.builder, ops.create<FloatOp>(a.builder->loc, a.value, b.value)};
  return {a.builder, ops.create<IntOp>(a.builder->loc, a.value, b.value)};
}

static Val compare(Val a, Val b, arith::CmpIPredicate intPredicate, arith::CmpFPredicate floatPredicate) {
  OpBuilder &ops = a.builder->ops;
  if (isa<FloatType>(a.value.getType()))
    return {a.builder, ops.create<arith::CmpFOp>(a.builder->loc, floatPredicate, a.value, b.value)};
  return {a.builder, ops.create<arith::CmpIOp>(a.builder->loc, intPredicate, a.value, b.value)};
}

template <typename Op> static Val unary(Val a) {
  return {a.builder, a.builder->ops.create<Op>(a.builder->loc, a.value)};
}

template <typename Op> static Val convert(Val a, Type type) {
  return {a.builder, a.builder->ops.create<Op>(a.builder->loc, type, a.value)};
}

Val operator+(Val a, Val b) {
  return arithmetic<arith::AddIOp, arith::AddFOp>(a, b);
}
Val operator-(Val a, Val b) {
  return arithmetic<arith::SubIOp, arith::SubFOp>(a, b);
}
Val operator*(Val a, Val b) {
  return arithmetic<arith::MulIOp, arith::MulFOp>(a, b);
}
Val operator/(Val a, Val b) {
  return arithmetic<arith::DivSIOp, arith::DivFOp>(a, b);
}
Val operator%(Val a, Val b) {
  return arithmetic<arith::RemSIOp, arith::RemFOp>(a, b);
}
Val operator<(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::slt, arith::CmpFPredicate::OLT);
}
Val operator<=(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::sle, arith::CmpFPredicate::OLE);
}
Val operator>(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::sgt, arith::CmpFPredicate::OGT);
}
Val operator==(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::eq, arith::CmpFPredicate::OEQ);
}
Val operator-(Val a) {
  return unary<arith::NegFOp>(a);
}
Val operator&(Val a, Val b) {
  return {a.builder, a.builder->ops.create<arith::AndIOp>(a.builder->loc, a.value, b.value)};
}

Val operator+(Val a, int64_t b) {
  return a + a.builder->integer(b);
}
Val operator-(Val a, int64_t b) {
  return a - a.builder->integer(b);
}
Val operator*(Val a, int64_t b) {
  return a * a.builder->integer(b);
}
Val operator/(Val a, int64_t b) {
  return a / a.builder->integer(b);
}
Val operator%(Val a, int64_t b) {
  return a % a.builder->integer(b);
}
Val operator<(Val a, int64_t b) {
  return a < a.builder->integer(b);
}
Val operator==(Val a, int64_t b) {
  return a == a.builder->integer(b);
}

Val select(Val condition, Val a, Val b) {
  return {a.builder, a.builder->ops.create<arith::SelectOp>(a.builder->loc, condition.value, a.value, b.value)};
}

Val min(Val a, Val b) {
  return {a.builder, a.builder->ops.create<arith::MinSIOp>(a.builder->loc, a.value, b.value)};
}
Val max(Val a, Val b) {
  return {a.builder, a.builder->ops.create<arith::MaxSIOp>(a.builder->loc, a.value, b.value)};
}

Val fma(Val a, Val b, Val c) {
  return {a.builder, a.builder->ops.create<math::FmaOp>(a.builder->loc, a.value, b.value, c.value)};
}

Val sqrt(Val a) {
  return unary<math::SqrtOp>(a);
}
Val ceil(Val a) {
  return unary<math::CeilOp>(a);
}
Val roundEven(Val a) {
  return unary<math::RoundEvenOp>(a);
}

Val toFloat(Val a, Type type) {
  unsigned from = a.value.getType().getIntOrFloatBitWidth(), to = type.getIntOrFloatBitWidth();
  if (from == to)
    return a;
  return from < to ? convert<arith::ExtFOp>(a, type) : convert<arith::TruncFOp>(a, type);
}

Val intToFloat(Val a, Type type) {
  return convert<arith::SIToFPOp>(a, type);
}
Val floatToInt(Val a) {
  return convert<arith::FPToSIOp>(a, a.builder->i64Type());
}
Val bitcast(Val a, Type type) {
  return convert<arith::BitcastOp>(a, type);
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

/// The f32 with these 16 bits on top.
static Val widenBF16(Val bits16) {
  OpBuilder &ops = bits16.builder->ops;
  Val bits = convert<arith::ExtUIOp>(bits16, ops.getI32Type());
  Val sixteen = {bits.builder, ops.create<arith::ConstantIntOp>(bits.builder->loc, 16, 32)};
  Val shifted = {bits.builder, ops.create<arith::ShLIOp>(bits.builder->loc, bits.value, sixteen.value)};
  return bitcast(shifted, ops.getF32Type());
}

/// An f64 to an f32 such that rounding that to BF16 is rounding once: toward zero, with the last bit set if inexact.
static Val narrowToOdd(Val x) {
  KernelBuilder &k = *x.builder;
  auto int32 = [&](int64_t v) { return Val{&k, k.ops.create<arith::ConstantIntOp>(k.loc, v, 32)}; };
  auto magnitude = [&](Val v) {
    Val zero = k.real(0, k.f64Type());
    return select(v < zero, -v, v);
  };
  Val nearest = toFloat(x, k.f32Type());
  Val back = toFloat(nearest, k.f64Type());
  Val bits = bitcast(nearest, k.ops.getI32Type());
  Val truncated = select(magnitude(back) > magnitude(x), bits - int32(1), bits);
  Val odd = {&k, k.ops.create<arith::OrIOp>(k.loc, truncated.value, int32(1).value)};
  // A NaN compares unequal too; its bits stay a NaN with the last one set.
  return bitcast(select(back == x, bits, odd), k.f32Type());
}

/// The upper 16 bits of an f32 after rounding to nearest even; a NaN becomes the quiet NaN of its upper bits.
static Val narrowBF16(Val x) {
  KernelBuilder &k = *x.builder;
  if (x.value.getType().isF64())
    x = narrowToOdd(x);
  auto int32 = [&](int64_t v) { return Val{&k, k.ops.create<arith::ConstantIntOp>(k.loc, v, 32)}; };
  auto shift = [&](Val v) { return Val{&k, k.ops.create<arith::ShRUIOp>(k.loc, v.value, int32(16).value)}; };
  Val bits = bitcast(x, k.ops.getI32Type());
  Val rounded = shift(bits + int32(0x7fff) + (shift(bits) & int32(1)));
  Val quiet = {&k, k.ops.create<arith::OrIOp>(k.loc, shift(bits).value, int32(0x40).value)};
  return convert<arith::TruncIOp>(select(x == x, rounded, quiet), k.ops.getI16Type());
}

Value Buffer::address(Value index) const {
  return builder->ops.create<LLVM::GEPOp>(builder->loc, LLVM::LLVMPointerType::get(builder->ops.getContext()),
                                          storageType(builder->ops, elem), pointer, ArrayRef<LLVM::GEPArg>{index});
}

Val Buffer::load(Val index) const {
  Val stored = {builder,
                builder->ops.create<LLVM::LoadOp>(builder->loc, storageType(builder->ops, elem), address(index.value))};
  switch (elem) {
  case Elem::I8:
  case Elem::I16:
  case Elem::I32:
    return convert<arith::ExtSIOp>(stored, builder->i64Type());
  case Elem::BF16:
    return widenBF16(stored);
  default:
    return stored;
  }
}

Val Buffer::load(int64_t index) const {
  return load(builder->integer(index));
}

void Buffer::store(Val index, Val value) const {
  Type type = storageType(builder->ops, elem);
  if (elem == Elem::BF16)
    value = narrowBF16(value);
  else if (elem != Elem::I64 && isa<IntegerType>(type))
    value = convert<arith::TruncIOp>(value, type);
  else if (isa<FloatType>(type))
    value = toFloat(value, type);
  builder->ops.create<LLVM::StoreOp>(builder->loc, value.value, address(index.value));
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

Val KernelBuilder::real(double value, Type type) {
  return {this, ops.create<arith::ConstantOp>(loc, FloatAttr::get(type, value))};
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

std::string symbolOf(std::initializer_list<std::string> pieces) {
  std::string symbol = "chimera";
  for (const std::string &piece : pieces)
    if (!piece.empty())
      symbol += "_" + piece;
  return symbol;
}

} // namespace chimera::ref
