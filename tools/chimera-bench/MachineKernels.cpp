// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiled with CHIMERA_SET (sse2, avx2 or avx512), its compiler flags, and the width of its registers in bytes.
#include "tools/chimera-bench/MachineKernels.h"

namespace chimera::bench {

typedef float FloatVector __attribute__((vector_size(CHIMERA_WIDTH)));
typedef uint64_t WordVector __attribute__((vector_size(CHIMERA_WIDTH)));

/// Enough to hide the latency of two multiply-add units of four or five cycles, few enough for 16 registers.
static constexpr int accumulators = 12;
static constexpr int lanes = CHIMERA_WIDTH / 4;

static float multiplyAdd(int64_t rounds) {
  FloatVector sums[accumulators], factor, term;
  for (int lane = 0; lane < lanes; ++lane) {
    factor[lane] = 0.5f; // The sums settle at 2: no infinities, no subnormals.
    term[lane] = 1.0f;
  }
  for (int i = 0; i < accumulators; ++i)
    sums[i] = term * float(i);
  // Hides from the compiler that factor and term are constants.
  __asm__ volatile("" : "+x"(factor), "+x"(term));
  for (int64_t round = 0; round < rounds; ++round) {
#pragma clang loop unroll(full)
    for (int i = 0; i < accumulators; ++i)
      sums[i] = sums[i] * factor + term;
  }
  float result = 0;
  for (int i = 0; i < accumulators; ++i)
    for (int lane = 0; lane < lanes; ++lane)
      result += sums[i][lane];
  return result;
}

static uint64_t read(const void *data, size_t bytes) {
  constexpr int parts = 256 / CHIMERA_WIDTH < 8 ? 256 / CHIMERA_WIDTH : 8;
  const WordVector *words = static_cast<const WordVector *>(data);
  WordVector sums[parts] = {};
  for (size_t at = 0; at < bytes / CHIMERA_WIDTH; at += parts)
#pragma clang loop unroll(full)
    for (int i = 0; i < parts; ++i)
      sums[i] += words[at + size_t(i)];
  uint64_t result = 0;
  for (int i = 0; i < parts; ++i)
    for (size_t lane = 0; lane < CHIMERA_WIDTH / 8; ++lane)
      result += sums[i][lane];
  return result;
}

#define CHIMERA_TEXT_OF(name) #name
#define CHIMERA_TEXT(name) CHIMERA_TEXT_OF(name)
extern const MachineKernels CHIMERA_TABLE = {CHIMERA_TEXT(CHIMERA_SET), 2 * accumulators *lanes, multiplyAdd, read};

} // namespace chimera::bench
