// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/kernel/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace chimera::kernel {

template <typename IntOp, typename FloatOp> static Val arithmetic(Val a, Val b) {
  OpBuilder &ops = a.builder->ops;
  if (isa<FloatType>(getElementTypeOrSelf(a.value)))
    return {a.builder, ops.create<FloatOp>(a.builder->loc, a.value, b.value)};
  return {a.builder, ops.create<IntOp>(a.builder->loc, a.value, b.value)};
}

static Val compare(Val a, Val b, arith::CmpIPredicate intPredicate, arith::CmpFPredicate floatPredicate) {
  OpBuilder &ops = a.builder->ops;
  if (isa<FloatType>(getElementTypeOrSelf(a.value)))
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

/// `type` as the element of a vector with as many lanes as `like`; `type` itself for a scalar.
static Type shapedLike(Val like, Type type) {
  auto vector = dyn_cast<VectorType>(like.value.getType());
  return vector && !isa<VectorType>(type) ? VectorType::get(vector.getShape(), type) : type;
}

Val toFloat(Val a, Type type) {
  unsigned from = getElementTypeOrSelf(a.value).getIntOrFloatBitWidth();
  unsigned to = getElementTypeOrSelf(type).getIntOrFloatBitWidth();
  if (from == to)
    return a;
  type = shapedLike(a, type);
  return from < to ? convert<arith::ExtFOp>(a, type) : convert<arith::TruncFOp>(a, type);
}

Val intToFloat(Val a, Type type) {
  return convert<arith::SIToFPOp>(a, shapedLike(a, type));
}
Val floatToInt(Val a) {
  return convert<arith::FPToSIOp>(a, a.builder->i64Type());
}
Val bitcast(Val a, Type type) {
  return convert<arith::BitcastOp>(a, shapedLike(a, type));
}

// Vectors.

Val splat(Val scalar, int64_t lanes) {
  Type type = VectorType::get({lanes}, scalar.value.getType());
  return {scalar.builder, scalar.builder->ops.create<vector::BroadcastOp>(scalar.builder->loc, type, scalar.value)};
}

int64_t lanesOf(Val a) {
  auto type = dyn_cast<VectorType>(a.value.getType());
  return type ? type.getNumElements() : 1;
}

Val extract(Val vector, int64_t lane) {
  return {vector.builder, vector.builder->ops.create<vector::ExtractOp>(vector.builder->loc, vector.value, lane)};
}

Val shuffleLanes(Val a, Val b, ArrayRef<int64_t> lanes) {
  return {a.builder, a.builder->ops.create<vector::ShuffleOp>(a.builder->loc, a.value, b.value, lanes)};
}

/// Combines the lower half of the lanes with the upper one, until one is left.
static Val reduce(Val vector, function_ref<Val(Val, Val)> combine) {
  for (int64_t lanes = lanesOf(vector); lanes > 1; lanes /= 2) {
    auto low = llvm::to_vector(llvm::seq<int64_t>(0, lanes / 2));
    auto high = llvm::to_vector(llvm::seq<int64_t>(lanes / 2, lanes));
    vector = combine(shuffleLanes(vector, vector, low), shuffleLanes(vector, vector, high));
  }
  return extract(vector, 0);
}

Val reduceSum(Val vector) {
  return reduce(vector, [](Val a, Val b) { return a + b; });
}
Val reduceGreatest(Val vector) {
  return reduce(vector, [](Val a, Val b) { return greatest(a, b); });
}

Val greatest(Val a, Val b) {
  return select(a > b, a, b);
}

Val lanesBelow(Val count, int64_t lanes) {
  KernelBuilder &k = *count.builder;
  // Clamped first, so that 32 bits hold it.
  Val near = min(max(count, k.integer(0)), k.integer(lanes));
  Val limit = splat(convert<arith::TruncIOp>(near, k.ops.getI32Type()), lanes);
  auto numbers = llvm::map_to_vector(llvm::seq<int64_t>(0, lanes), [](int64_t i) { return static_cast<int32_t>(i); });
  auto type = VectorType::get({lanes}, k.ops.getI32Type());
  Val place = {&k, k.ops.create<arith::ConstantOp>(k.loc, DenseElementsAttr::get(type, ArrayRef<int32_t>(numbers)))};
  return place < limit;
}

Val operator|(Val a, Val b) {
  return {a.builder, a.builder->ops.create<arith::OrIOp>(a.builder->loc, a.value, b.value)};
}
Val shiftLeft(Val a, int64_t bits) {
  return {a.builder, a.builder->ops.create<arith::ShLIOp>(a.builder->loc, a.value, constantLike(a, bits).value)};
}
Val shiftRight(Val a, int64_t bits) {
  return {a.builder, a.builder->ops.create<arith::ShRUIOp>(a.builder->loc, a.value, constantLike(a, bits).value)};
}

Val constantLike(Val like, int64_t value) {
  KernelBuilder &k = *like.builder;
  Type type = like.value.getType();
  TypedAttr attr = k.ops.getIntegerAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, cast<Attribute>(attr));
  return {&k, k.ops.create<arith::ConstantOp>(k.loc, attr)};
}

Val zeroExtend(Val a, Type type) {
  return convert<arith::ExtUIOp>(a, shapedLike(a, type));
}
Val signExtend(Val a, Type type) {
  return convert<arith::ExtSIOp>(a, shapedLike(a, type));
}
Val truncate(Val a, Type type) {
  return convert<arith::TruncIOp>(a, shapedLike(a, type));
}

// BF16.

Val widenBF16(Val bits16) {
  OpBuilder &ops = bits16.builder->ops;
  return bitcast(shiftLeft(zeroExtend(bits16, ops.getI32Type()), 16), ops.getF32Type());
}

/// An f64 to an f32 such that rounding that to BF16 is rounding once: toward zero, with the last bit set if inexact.
static Val narrowToOdd(Val x) {
  KernelBuilder &k = *x.builder;
  auto magnitude = [&](Val v) {
    Val zero = k.real(0, v.value.getType());
    return select(v < zero, -v, v);
  };
  Val nearest = toFloat(x, k.f32Type());
  Val back = toFloat(nearest, k.f64Type());
  Val bits = bitcast(nearest, k.ops.getI32Type());
  Val one = constantLike(bits, 1);
  Val truncated = select(magnitude(back) > magnitude(x), bits - one, bits);
  // A NaN compares unequal too; its bits stay a NaN with the last one set.
  return bitcast(select(back == x, bits, truncated | one), k.f32Type());
}

Val narrowBF16(Val x) {
  KernelBuilder &k = *x.builder;
  if (getElementTypeOrSelf(x.value).isF64())
    x = narrowToOdd(x);
  Val bits = bitcast(x, k.ops.getI32Type());
  Val rounded = shiftRight(bits + constantLike(bits, 0x7fff) + (shiftRight(bits, 16) & constantLike(bits, 1)), 16);
  Val quiet = shiftRight(bits, 16) | constantLike(bits, 0x40);
  return truncate(select(x == x, rounded, quiet), k.ops.getI16Type());
}

} // namespace chimera::kernel
