// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the machine can do, measured in the same run as everything that is compared with it.
#ifndef CHIMERA_TOOLS_CHIMERABENCH_MACHINELIMITS_H
#define CHIMERA_TOOLS_CHIMERABENCH_MACHINELIMITS_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace chimera::bench {

struct MachineLimits {
  std::string instructionSet; ///< Of the measurement.
  int64_t threads = 0;
  size_t bufferBytes = 0;       ///< The buffer that was read.
  double bytesPerSecond = 0;    ///< Reading it, all threads together.
  double flopsPerSecond = 0;    ///< f32 multiply-adds in registers, two operations each, all threads together.
  std::string products;         ///< The instruction for products of bf16 numbers; "" without one.
  double productsPerSecond = 0; ///< Its operations, two for each product.

  /// The rate that work is compared with: the better of the two.
  double peak() const { return std::max(flopsPerSecond, productsPerSecond); }
};

/// Medians of several passes by `threads` threads. The buffer has the size of what a step reads (`bytes`, at least
/// 64 KiB): a model that fits into a cache is compared with that cache. With `bf16Features`, the CPU features (as in
/// /proc/cpuinfo) that code for bf16 matrices may use, the best of its instructions for them is measured too; they must
/// be this CPU's, and AMX tiles permitted.
MachineLimits measureLimits(int64_t threads, size_t bytes, const std::vector<std::string> &bf16Features = {});

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_MACHINELIMITS_H
