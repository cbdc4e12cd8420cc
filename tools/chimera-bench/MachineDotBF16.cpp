// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiled for AVX512_BF16: vdpbf16ps, 16 sums of two products each.
#include "tools/chimera-bench/MachineKernels.h"

namespace chimera::bench {

typedef float FloatVector __attribute__((vector_size(64)));
typedef __bf16 HalfVector __attribute__((vector_size(64)));
typedef uint16_t WordVector __attribute__((vector_size(64)));

/// Enough to hide the latency, few enough for 32 registers.
static constexpr int accumulators = 24;
static constexpr int lanes = 16;

static float multiplyAdd(int64_t rounds) {
  FloatVector sums[accumulators];
  WordVector ones;
  for (int lane = 0; lane < 2 * lanes; ++lane)
    ones[lane] = 0x3F80; // 1 in bf16: the sums stay exact for a while, and finite for ever.
  for (int i = 0; i < accumulators; ++i)
    sums[i] = FloatVector{} + float(i);
  // Hides from the compiler that the factors are constants.
  __asm__ volatile("" : "+x"(ones));
  HalfVector factor = (HalfVector)ones;
  for (int64_t round = 0; round < rounds; ++round) {
#pragma clang loop unroll(full)
    for (int i = 0; i < accumulators; ++i)
      sums[i] = __builtin_ia32_dpbf16ps_512(sums[i], factor, factor);
  }
  float result = 0;
  for (int i = 0; i < accumulators; ++i)
    for (int lane = 0; lane < lanes; ++lane)
      result += sums[i][lane];
  return result;
}

extern const MachineProducts machineDotBF16 = {"vdpbf16ps", "avx512_bf16", 4 * accumulators *lanes, multiplyAdd};

} // namespace chimera::bench
