// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/InitialNoise.h"

#include "runtime/core/Sampler.h"
#include "runtime/core/Vectors.h"

#include <cmath>

namespace chimera {

static constexpr double pi = 3.14159265358979323846;

/// The name enters by its FNV-1a hash (Fowler, Noll, Vo).
InitialNoise::InitialNoise(uint64_t seed, std::string_view name) : seed(seed), stream(0xcbf29ce484222325) {
  for (unsigned char byte : name)
    stream = (stream ^ byte) * 0x100000001b3;
}

std::array<double, 2> InitialNoise::pair(uint64_t index) const {
  std::array<uint32_t, 4> words =
      philox4x32({uint32_t(index), uint32_t(index >> 32), uint32_t(stream), uint32_t(stream >> 32)},
                 {uint32_t(seed), uint32_t(seed >> 32)});
  auto unit = [](uint32_t high, uint32_t low) {
    return (double(((uint64_t(high) << 32) | low) >> 12) + 0.5) * 0x1p-52;
  };
  return {unit(words[0], words[1]), unit(words[2], words[3])};
}

double InitialNoise::normal(uint64_t index) const {
  auto [radius, angle] = pair(index);
  return std::sqrt(-2.0 * std::log(radius)) * std::cos(2.0 * pi * angle);
}

namespace {
/// Four words of 32 bits, each in 64, so that they and their products lie in the same lanes of vectors.
struct Words {
  uint64_t a, b, c, d;
};
} // namespace

/// philox4x32 (runtime/core/Sampler.h).
CHIMERA_VECTOR_INLINE static inline Words philox(Words words, uint32_t key0, uint32_t key1) {
  constexpr uint64_t low = 0xFFFFFFFF;
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = 0xD2511F53 * words.a, product1 = 0xCD9E8D57 * words.c;
    words = {(product1 >> 32) ^ words.b ^ key0, product1 & low, (product0 >> 32) ^ words.d ^ key1, product0 & low};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return words;
}

/// The number in (0, 1) of two words, exactly as InitialNoise::pair makes it: 52 bits below a one are 2^52 and more.
CHIMERA_VECTOR_INLINE static inline double unitOf(uint64_t high, uint64_t low) {
  double number = vectors::fromBits((high << 32 | low) >> 12 | 0x4330000000000000) - 0x1p52;
  return (number + 0.5) * 0x1p-52;
}

/// Makes `count` numbers, each to an error that is mostly smaller than what is between it and where rounding to f32
/// changes. Whether all were: then they are those that exact functions would give, or libm's, which are nearly exact.
CHIMERA_VECTOR_INLINE static inline bool quickNormals(uint64_t seed, uint64_t stream, double deviation, uint64_t first,
                                                      size_t count, float *to) {
  // In relation to the radius. The functions' errors and those of the formula in doubles, with libm, sum to 2^-47.
  constexpr double error = 0x1p-44;
  uint32_t unequal = 0;
  for (size_t i = 0; i < count; ++i) {
    uint64_t index = first + i;
    Words words = philox({index & 0xFFFFFFFF, index >> 32, stream & 0xFFFFFFFF, stream >> 32}, uint32_t(seed),
                         uint32_t(seed >> 32));
    double radius = deviation * std::sqrt(-2.0 * vectors::logUnit(unitOf(words.a, words.b)));
    double value = radius * vectors::cosTurn(unitOf(words.c, words.d));
    float low = float(value - radius * error), high = float(value + radius * error);
    uint32_t lowBits, highBits; // So that zeros of two signs are not equal.
    std::memcpy(&lowBits, &low, sizeof low);
    std::memcpy(&highBits, &high, sizeof high);
    unequal |= lowBits ^ highBits;
    to[i] = low;
  }
  return unequal == 0;
}

void InitialNoise::fillNormal(double deviation, uint64_t first, size_t count, float *to) const {
  constexpr size_t block = 64;
  onWidestVectors([&]() CHIMERA_VECTOR_INLINE {
    for (size_t begin = 0; begin < count; begin += block) {
      size_t here = count - begin < block ? count - begin : block;
      if (quickNormals(seed, stream, deviation, first + begin, here, to + begin))
        continue;
      for (size_t i = begin; i < begin + here; ++i)
        to[i] = float(deviation * normal(first + i));
    }
  });
}

} // namespace chimera
