// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/DType.h"

#include "runtime/core/Vectors.h"

#include <cassert>
#include <cstring>

namespace chimera::io {

namespace {
struct DTypeInfo {
  const char *name;
  int64_t size;
};
} // namespace

/// In the order of `DType`.
static constexpr DTypeInfo infos[] = {{"f64", 8}, {"f32", 4}, {"f16", 2},  {"bf16", 2},   {"i64", 8},
                                      {"i32", 4}, {"i16", 2}, {"i8", 1},   {"u64", 8},    {"u32", 4},
                                      {"u16", 2}, {"u8", 1},  {"bool", 1}, {"f8e4m3", 1}, {"f8e5m2", 1}};

int64_t sizeOf(DType type) {
  return infos[size_t(type)].size;
}

const char *nameOf(DType type) {
  return infos[size_t(type)].name;
}

bool isFloat(DType type) {
  return type == DType::F64 || type == DType::F32 || type == DType::F16 || type == DType::BF16;
}

bool isInteger(DType type) {
  return type >= DType::I64 && type <= DType::U8;
}

template <typename To, typename From> static To bitCast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

float f16ToF32(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16, exponent = (bits >> 10) & 0x1F, fraction = bits & 0x3FF;
  if (exponent == 31)
    return bitCast<float>(sign | 0x7F800000u | fraction << 13);
  if (exponent != 0)
    return bitCast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  // A subnormal is fraction * 2^-24: exact in f32, and normal there.
  float magnitude = float(fraction) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

float bf16ToF32(uint16_t bits) {
  return bitCast<float>(uint32_t(bits) << 16);
}

uint16_t f32ToBf16(float value) {
  uint32_t bits = bitCast<uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
    return uint16_t(bits >> 16 | 0x40);
  return uint16_t((bits + 0x7FFFu + (bits >> 16 & 1)) >> 16);
}

uint16_t f64ToBf16(double value) {
  // Rounding to odd at f32's precision loses nothing that the rounding to bf16 would see: f32 has 16 bits more than
  // bf16, in its subnormal range too, and two are enough.
  float cut = float(value);
  if (value != value)
    return f32ToBf16(cut);
  uint32_t bits = bitCast<uint32_t>(cut);
  if (double(cut) != value) {
    double magnitude = value < 0 ? -value : value;
    if (double(cut < 0 ? -cut : cut) > magnitude)
      --bits; // back to the next one towards zero; from infinity that is the largest finite number
    bits |= 1;
  }
  return f32ToBf16(bitCast<float>(bits));
}

template <typename From, typename To, To (*convertOne)(From)>
static void mapElements(const void *from, void *to, int64_t count) {
  const auto *source = static_cast<const uint8_t *>(from);
  auto *target = static_cast<uint8_t *>(to);
  onWidestVectors([&]() CHIMERA_VECTOR_INLINE {
    for (int64_t i = 0; i < count; ++i) {
      From value;
      std::memcpy(&value, source + size_t(i) * sizeof value, sizeof value);
      To converted = convertOne(value);
      std::memcpy(target + size_t(i) * sizeof converted, &converted, sizeof converted);
    }
  });
}

static double f32ToF64(float value) {
  return double(value);
}

static double f16ToF64(uint16_t bits) {
  return double(f16ToF32(bits));
}

static double bf16ToF64(uint16_t bits) {
  return double(bf16ToF32(bits));
}

static float f64ToF32(double value) {
  return float(value);
}

static uint16_t f16ToBf16(uint16_t bits) {
  return f32ToBf16(f16ToF32(bits));
}

static void toF64(DType fromType, const void *from, void *to, int64_t count) {
  if (fromType == DType::F32)
    mapElements<float, double, f32ToF64>(from, to, count);
  else if (fromType == DType::F16)
    mapElements<uint16_t, double, f16ToF64>(from, to, count);
  else
    mapElements<uint16_t, double, bf16ToF64>(from, to, count);
}

static void toF32(DType fromType, const void *from, void *to, int64_t count) {
  if (fromType == DType::F64)
    mapElements<double, float, f64ToF32>(from, to, count);
  else if (fromType == DType::F16)
    mapElements<uint16_t, float, f16ToF32>(from, to, count);
  else
    mapElements<uint16_t, float, bf16ToF32>(from, to, count);
}

static void toBf16(DType fromType, const void *from, void *to, int64_t count) {
  if (fromType == DType::F64)
    mapElements<double, uint16_t, f64ToBf16>(from, to, count);
  else if (fromType == DType::F32)
    mapElements<float, uint16_t, f32ToBf16>(from, to, count);
  else
    mapElements<uint16_t, uint16_t, f16ToBf16>(from, to, count);
}

void convertElements(DType fromType, const void *from, DType toType, void *to, int64_t count) {
  assert(isFloat(fromType) && isFloat(toType) && toType != DType::F16);
  if (count == 0)
    return;
  if (fromType == toType)
    std::memcpy(to, from, size_t(count * sizeOf(toType)));
  else if (toType == DType::F64)
    toF64(fromType, from, to, count);
  else if (toType == DType::F32)
    toF32(fromType, from, to, count);
  else
    toBf16(fromType, from, to, count);
}

} // namespace chimera::io
