// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operators on values and pointers of codegen/nvptx/GpuBuilder.h.
#include "codegen/nvptx/GpuBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace chimera::nvptx {

template <typename Op, typename... Args> static Val make(Val a, Args... args) {
  return a.builder->wrap(a.builder->ops().create<Op>(a.builder->location(), args...));
}

template <typename IntOp, typename FloatOp> static Val arithmetic(Val a, Val b) {
  return isa<FloatType>(a.type()) ? make<FloatOp>(a, a.value, b.value) : make<IntOp>(a, a.value, b.value);
}

static Val compare(Val a, Val b, arith::CmpIPredicate integers, arith::CmpFPredicate floats) {
  return isa<FloatType>(a.type()) ? make<arith::CmpFOp>(a, floats, a.value, b.value)
                                  : make<arith::CmpIOp>(a, integers, a.value, b.value);
}

static Val constantLike(Val a, int64_t value) {
  return a.builder->constant(value, a.type());
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
  return arithmetic<arith::DivUIOp, arith::DivFOp>(a, b);
}
Val operator%(Val a, Val b) {
  return make<arith::RemUIOp>(a, a.value, b.value);
}
Val operator&(Val a, Val b) {
  return make<arith::AndIOp>(a, a.value, b.value);
}
Val operator|(Val a, Val b) {
  return make<arith::OrIOp>(a, a.value, b.value);
}
Val operator^(Val a, Val b) {
  return make<arith::XOrIOp>(a, a.value, b.value);
}
Val operator<(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::slt, arith::CmpFPredicate::OLT);
}
Val operator>=(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::sge, arith::CmpFPredicate::OGE);
}
Val operator>(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::sgt, arith::CmpFPredicate::OGT);
}
Val operator==(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::eq, arith::CmpFPredicate::OEQ);
}
Val operator!=(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::ne, arith::CmpFPredicate::ONE);
}

Val operator+(Val a, int64_t b) {
  return a + constantLike(a, b);
}
Val operator-(Val a, int64_t b) {
  return a - constantLike(a, b);
}
Val operator*(Val a, int64_t b) {
  return a * constantLike(a, b);
}
Val operator/(Val a, int64_t b) {
  return a / constantLike(a, b);
}
Val operator%(Val a, int64_t b) {
  return a % constantLike(a, b);
}
Val operator&(Val a, int64_t b) {
  return a & constantLike(a, b);
}
Val operator<(Val a, int64_t b) {
  return a < constantLike(a, b);
}
Val operator>=(Val a, int64_t b) {
  return a >= constantLike(a, b);
}
Val operator>(Val a, int64_t b) {
  return a > constantLike(a, b);
}
Val operator==(Val a, int64_t b) {
  return a == constantLike(a, b);
}
Val operator!=(Val a, int64_t b) {
  return a != constantLike(a, b);
}

Val shiftLeft(Val a, int64_t bits) {
  return make<arith::ShLIOp>(a, a.value, constantLike(a, bits).value);
}
Val shiftRight(Val a, int64_t bits) {
  return make<arith::ShRUIOp>(a, a.value, constantLike(a, bits).value);
}

Val select(Val condition, Val a, Val b) {
  return make<arith::SelectOp>(a, condition.value, a.value, b.value);
}
Val min(Val a, Val b) {
  return select(a < b, a, b);
}
Val max(Val a, Val b) {
  return select(a > b, a, b);
}
Val fma(Val a, Val b, Val c) {
  return make<math::FmaOp>(a, a.value, b.value, c.value);
}
Val sqrt(Val a) {
  return make<math::SqrtOp>(a, a.value);
}
Val ceil(Val a) {
  return make<math::CeilOp>(a, a.value);
}
Val bitcast(Val a, Type type) {
  return make<arith::BitcastOp>(a, type, a.value);
}
Val zeroExtend(Val a, Type type) {
  return make<arith::ExtUIOp>(a, type, a.value);
}

Val convert(Val a, Type type) {
  if (a.type() == type)
    return a;
  unsigned from = a.type().getIntOrFloatBitWidth(), to = type.getIntOrFloatBitWidth();
  bool fromFloat = isa<FloatType>(a.type()), toFloat = isa<FloatType>(type);
  if (fromFloat && toFloat)
    return from < to ? make<arith::ExtFOp>(a, type, a.value) : make<arith::TruncFOp>(a, type, a.value);
  if (fromFloat)
    return make<arith::FPToSIOp>(a, type, a.value);
  if (toFloat)
    return make<arith::SIToFPOp>(a, type, a.value);
  return from < to ? make<arith::ExtSIOp>(a, type, a.value) : make<arith::TruncIOp>(a, type, a.value);
}

Pointer Pointer::at(Val offset) const {
  return Pointer(make<LLVM::GEPOp>(base, base.type(), element, base.value, ArrayRef<LLVM::GEPArg>(offset.value)),
                 element);
}

Pointer Pointer::at(int64_t offset) const {
  return at(base.builder->constant(offset));
}

static unsigned bytesOf(Type type) {
  return type.getIntOrFloatBitWidth() / 8;
}

Val Pointer::load() const {
  return make<LLVM::LoadOp>(base, element, base.value, bytesOf(element));
}

void Pointer::store(Val value) const {
  GpuBuilder &b = *base.builder;
  b.ops().create<LLVM::StoreOp>(b.location(), value.value, base.value, bytesOf(element));
}

SmallVector<Val> Pointer::loadVector(int64_t count) const {
  GpuBuilder &b = *base.builder;
  if (count == 1)
    return {load()};
  auto type = VectorType::get(count, element);
  Value vector = b.ops().create<LLVM::LoadOp>(b.location(), type, base.value, bytesOf(element) * count);
  SmallVector<Val> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(make<LLVM::ExtractElementOp>(base, vector, b.constant(i).value));
  return values;
}

void Pointer::storeVector(ArrayRef<Val> values) const {
  GpuBuilder &b = *base.builder;
  if (values.size() == 1)
    return store(values[0]);
  int64_t count = values.size();
  auto type = VectorType::get(count, element);
  Value vector = b.ops().create<LLVM::UndefOp>(b.location(), type);
  for (int64_t i = 0; i < count; ++i)
    vector = b.ops().create<LLVM::InsertElementOp>(b.location(), vector, values[i].value, b.constant(i).value);
  b.ops().create<LLVM::StoreOp>(b.location(), vector, base.value, bytesOf(element) * count);
}

} // namespace chimera::nvptx
