// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/DType.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace chimera::io;

/// The value of f16 bits from the definition of the format.
static double f16Value(uint16_t bits) {
  double sign = bits >> 15 ? -1 : 1;
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31)
    return fraction ? std::numeric_limits<double>::quiet_NaN() : sign * INFINITY;
  return exponent ? sign * std::ldexp(1024 + fraction, exponent - 25) : sign * std::ldexp(fraction, -24);
}

static double bf16Value(uint16_t bits) {
  double sign = bits >> 15 ? -1 : 1;
  int exponent = bits >> 7 & 255, fraction = bits & 127;
  if (exponent == 255)
    return fraction ? std::numeric_limits<double>::quiet_NaN() : sign * INFINITY;
  return exponent ? sign * std::ldexp(128 + fraction, exponent - 134) : sign * std::ldexp(fraction, -133);
}

TEST(DType, EveryF16AndBf16HasItsValue) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    double half = f16Value(uint16_t(bits)), brain = bf16Value(uint16_t(bits));
    if (std::isnan(half))
      EXPECT_TRUE(std::isnan(f16ToF32(uint16_t(bits))));
    else
      EXPECT_EQ(double(f16ToF32(uint16_t(bits))), half) << bits;
    if (std::isnan(brain))
      EXPECT_TRUE(std::isnan(bf16ToF32(uint16_t(bits))));
    else
      EXPECT_EQ(double(bf16ToF32(uint16_t(bits))), brain) << bits;
  }
  EXPECT_TRUE(std::signbit(f16ToF32(0x8000)));
}

/// Every bf16, each midpoint to the next one, and the f64 on either side of the midpoint.
TEST(DType, F64ToBf16RoundsOnceToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7F80; ++bits) {
    double low = bf16Value(uint16_t(bits));
    double high = bits + 1 == 0x7F80 ? std::ldexp(1, 128) : bf16Value(uint16_t(bits + 1));
    double middle = (low + high) / 2;
    uint16_t even = uint16_t(bits & 1 ? bits + 1 : bits);
    for (int sign : {1, -1}) {
      uint16_t mark = sign < 0 ? 0x8000 : 0;
      ASSERT_EQ(f64ToBf16(sign * low), bits | mark);
      ASSERT_EQ(f64ToBf16(sign * middle), even | mark) << bits;
      ASSERT_EQ(f64ToBf16(sign * std::nextafter(middle, 0)), bits | mark) << bits;
      ASSERT_EQ(f64ToBf16(sign * std::nextafter(middle, INFINITY)), (bits + 1) | mark) << bits;
      ASSERT_EQ(f32ToBf16(float(sign * middle)), even | mark) << bits;
      ASSERT_EQ(f32ToBf16(std::nextafterf(float(sign * middle), 0)), bits | mark) << bits;
    }
  }
}

TEST(DType, Bf16OfSpecialValues) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(f64ToBf16(infinity), 0x7F80);
  EXPECT_EQ(f64ToBf16(-infinity), 0xFF80);
  EXPECT_EQ(f64ToBf16(1e300), 0x7F80);
  EXPECT_EQ(f64ToBf16(-1e-300), 0x8000);
  EXPECT_EQ(f64ToBf16(-0.0), 0x8000);
  EXPECT_TRUE(std::isnan(bf16ToF32(f64ToBf16(std::numeric_limits<double>::quiet_NaN()))));
  // A NaN whose payload lies in the bits that are cut must not become an infinity.
  uint32_t bits = 0x7F800001;
  float nan;
  std::memcpy(&nan, &bits, sizeof nan);
  EXPECT_TRUE(std::isnan(bf16ToF32(f32ToBf16(nan))));
}

TEST(DType, ConvertsUnalignedElementsOfEveryPair) {
  std::mt19937 random(1);
  for (DType from : {DType::F64, DType::F32, DType::F16, DType::BF16}) {
    for (DType to : {DType::F64, DType::F32, DType::BF16}) {
      constexpr int count = 257;
      std::vector<uint8_t> source(1 + count * size_t(sizeOf(from))), target(1 + count * size_t(sizeOf(to)));
      std::vector<double> values(count);
      for (int i = 0; i < count; ++i) {
        // An f16: it has a value in each of the types but bf16.
        uint16_t half = uint16_t(random() & 0xFBFF);
        half = (half & 0x7C00) == 0x7C00 ? 0 : half;
        double value = f16Value(half);
        float single = float(value);
        uint16_t brain = f64ToBf16(value);
        const void *bits = from == DType::F64   ? static_cast<const void *>(&value)
                           : from == DType::F32 ? &single
                           : from == DType::F16 ? static_cast<const void *>(&half)
                                                : &brain;
        std::memcpy(&source[1 + size_t(i) * size_t(sizeOf(from))], bits, size_t(sizeOf(from)));
        values[size_t(i)] = from == DType::BF16 ? bf16Value(brain) : value;
      }
      convertElements(from, &source[1], to, &target[1], count);
      for (int i = 0; i < count; ++i) {
        const uint8_t *at = &target[1 + size_t(i) * size_t(sizeOf(to))];
        double value = values[size_t(i)];
        if (to == DType::F64) {
          double got;
          std::memcpy(&got, at, sizeof got);
          EXPECT_EQ(got, value);
        } else if (to == DType::F32) {
          float got;
          std::memcpy(&got, at, sizeof got);
          EXPECT_EQ(double(got), value);
        } else {
          uint16_t got;
          std::memcpy(&got, at, sizeof got);
          EXPECT_EQ(got, f64ToBf16(value));
        }
      }
    }
  }
}
