// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Balancer.h"

#include <algorithm>

namespace chimera::train {

void balance(const BalancerOptions &options, const std::vector<int64_t> &wanted, const std::vector<double> &target,
             std::vector<float> &average, std::vector<float> &bias) {
  int64_t tokens = 0;
  for (int64_t count : wanted)
    tokens += count;
  if (tokens == 0)
    return;
  for (size_t k = 0; k < wanted.size(); ++k) {
    double fraction = double(wanted[k]) / double(tokens);
    average[k] = float(options.ema * double(average[k]) + (1 - options.ema) * fraction);
    float missing = float(target[k]) - average[k]; // Exactly 0 where they agree in the stored type.
    double sign = missing > 0 ? 1 : missing < 0 ? -1 : 0;
    bias[k] = float(std::clamp(double(bias[k]) + options.step * sign, -options.clip, options.clip));
  }
}

} // namespace chimera::train
