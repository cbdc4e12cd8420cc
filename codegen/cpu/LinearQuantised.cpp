// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/LinearQuantised.h"

#include "codegen/cpu/Kernels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

namespace chimera::cpu {

static Val exclusiveOr(Val a, Val b) {
  return {a.builder, a.builder->ops.create<mlir::arith::XOrIOp>(a.builder->loc, a.value, b.value)};
}

int64_t quantisedBlockBytes(int64_t panel) {
  return panel + scaleGroup * panel;
}

Val quantisedBase(const Buffer &bytes, Val index, int64_t lanes) {
  mlir::Type i32 = bytes.base().builder->ops.getI32Type();
  Val exponents = signExtend(bytes.loadVector(index, lanes), i32);
  // The biased exponent of 2^(e+23); the bit 2^(e+7) is bit 7 of the fraction.
  return shiftLeft(exponents + constantLike(exponents, 127 + 23), 23) | constantLike(exponents, 0x80);
}

Val quantisedWeight(Val lanes, Val base, int64_t place) {
  mlir::Type f32 = base.builder->f32Type();
  Val byte = place == 0 ? lanes : shiftRight(lanes, 8 * place);
  if (place != 3) // else the shift has cleared the other bits
    byte = byte & constantLike(byte, 0xff);
  return bitcast(exclusiveOr(byte, base), f32) - bitcast(base, f32);
}

Val quantisedPair(Val lanes, Val base, int64_t place) {
  mlir::Type i32 = base.builder->ops.getI32Type();
  // Numbers of 8 bits: the lower half of the f32 is 0.
  Val low = bitcast(quantisedWeight(lanes, base, place), i32),
      high = bitcast(quantisedWeight(lanes, base, place + 1), i32);
  return shiftRight(low, 16) | high;
}

} // namespace chimera::cpu
