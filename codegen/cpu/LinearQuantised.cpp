// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/LinearQuantised.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace chimera::cpu {

static constexpr int64_t bf16FractionBits = 7, bf16Bias = 127;

static Val exclusiveOr(Val a, Val b) {
  return {a.builder, a.builder->ops.create<arith::XOrIOp>(a.builder->loc, a.value, b.value)};
}

/// The bit at which the number of input `place` begins in a lane.
static int64_t shiftOf(WeightFormat format, int64_t place) {
  return format == WeightFormat::I4 ? abi::nibbleShift(place) : place * abi::bitsOf(format);
}

QuantisedScale quantisedScale(WeightFormat format, const Buffer &bytes, Val index, int64_t lanes) {
  Type i32 = bytes.base().builder->ops.getI32Type();
  Val exponents = signExtend(bytes.loadVector(index, lanes), i32);
  // The biased exponent of 2^(e+23); the bit 2^(e+b-1) is bit b - 1 of the fraction.
  Val base = shiftLeft(exponents + constantLike(exponents, 127 + 23), 23) |
             constantLike(exponents, int64_t(1) << (abi::bitsOf(format) - 1));
  if (format != WeightFormat::I4)
    return {base, {}};
  Val drop = shiftLeft(constantLike(exponents, abi::mostExponent) - exponents, bf16FractionBits);
  return {base, drop | shiftLeft(drop, 16)};
}

Val quantisedWeight(WeightFormat format, Val lanes, const QuantisedScale &scale, int64_t place) {
  Type f32 = lanes.builder->f32Type();
  int64_t bits = abi::bitsOf(format), shift = shiftOf(format, place);
  Val number = shift == 0 ? lanes : shiftRight(lanes, shift);
  if (shift + bits < 32) // else the shift has cleared the other bits
    number = number & constantLike(number, (int64_t(1) << bits) - 1);
  return bitcast(exclusiveOr(number, scale.base), f32) - bitcast(scale.base, f32);
}

/// The same bits in lanes of another width.
static Val asLanes(Val lanes, int64_t count, Type element) {
  KernelBuilder &k = *lanes.builder;
  return {&k, k.ops.create<vector::BitCastOp>(k.loc, VectorType::get({count}, element), lanes.value)};
}

/// For each five bits, whose lowest four are a number q, the bf16 q 2^mostExponent.
static Val nibbleTable(KernelBuilder &k) {
  SmallVector<int16_t> words;
  for (int index = 0; index < 32; ++index) {
    int number = (index & 15) - (index & 8) * 2, magnitude = std::abs(number);
    int64_t word = 0;
    if (number != 0) {
      int64_t exponent = llvm::Log2_32(uint32_t(magnitude));
      int64_t fraction = (magnitude << (bf16FractionBits - exponent)) & ((1 << bf16FractionBits) - 1);
      word = ((exponent + abi::mostExponent + bf16Bias) << bf16FractionBits | fraction) | (number < 0 ? 0x8000 : 0);
    }
    words.push_back(int16_t(word));
  }
  auto type = VectorType::get({32}, k.ops.getI16Type());
  return {&k, k.ops.create<arith::ConstantOp>(k.loc, DenseElementsAttr::get(type, ArrayRef<int16_t>(words)))};
}

/// Looks the numbers of two inputs up.
static Val nibblePair(Val lanes, const QuantisedScale &scale, int64_t place) {
  KernelBuilder &k = *lanes.builder;
  Type i16 = k.ops.getI16Type(), i32 = k.ops.getI32Type();
  int64_t shift = abi::nibbleShift(place);
  Val words = asLanes(shift == 0 ? lanes : shiftRight(lanes, shift), 32, i16);
  Val table = nibbleTable(k);
  Val largest = k.intrinsic("llvm.x86.avx512.permvar.hi.512", table.value.getType(), {table, words});
  Value scaled = k.ops.create<LLVM::USubSat>(k.loc, largest.value, asLanes(scale.drop, 32, i16).value);
  return asLanes({&k, scaled}, 16, i32);
}

Val quantisedPair(WeightFormat format, Val lanes, const QuantisedScale &scale, int64_t place) {
  if (format == WeightFormat::I4)
    return nibblePair(lanes, scale, place);
  Type i32 = lanes.builder->ops.getI32Type();
  // Numbers of 8 bits: the lower half of the f32 is 0.
  Val low = bitcast(quantisedWeight(format, lanes, scale, place), i32),
      high = bitcast(quantisedWeight(format, lanes, scale, place + 1), i32);
  return shiftRight(low, 16) | high;
}

} // namespace chimera::cpu
