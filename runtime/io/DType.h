// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The element types of tensors and arrays on disk, and conversion among the
// floating-point ones.
#ifndef CHIMERA_RUNTIME_IO_DTYPE_H
#define CHIMERA_RUNTIME_IO_DTYPE_H

#include <cstdint>
#include <string>

namespace chimera::io {

/// Element types. All are little endian on disk.
enum class DType : uint8_t {
  F64,
  F32,
  F16,
  BF16,
  I64,
  I32,
  I16,
  I8,
  U64,
  U32,
  U16,
  U8,
  Bool,
  F8E4M3,
  F8E5M2,
};

/// Bytes of one element: 1, 2, 4 or 8.
int64_t sizeOf(DType type);

/// "f64", "bf16", "i32", ...: the name in messages and in a model's manifest.
const char *nameOf(DType type);

/// Whether `convertElements` takes the type: f64, f32, f16, bf16.
bool isFloat(DType type);

/// Whether the elements are whole numbers: i8 to i64, u8 to u64.
bool isInteger(DType type);

/// The value of an f16 or bf16 bit pattern; exact.
float f16ToF32(uint16_t bits);
float bf16ToF32(uint16_t bits);

/// Rounds to the nearest bf16, ties to even, in one rounding: an f64 is not
/// rounded to f32 on the way. Overflow gives infinity; a NaN stays a NaN.
uint16_t f64ToBf16(double value);
uint16_t f32ToBf16(float value);

/// Converts `count` elements at `from` (any alignment) into `to` (any
/// alignment), rounding to nearest even. `fromType` is f64, f32, f16 or bf16;
/// `toType` is f64, f32 or bf16. The spans do not overlap.
void convertElements(DType fromType, const void *from, DType toType, void *to, int64_t count);

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_DTYPE_H
