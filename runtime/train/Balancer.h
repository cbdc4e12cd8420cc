// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The balancer: a bias on a router's scores that steers the shares of its modes, without a loss.
#ifndef CHIMERA_RUNTIME_TRAIN_BALANCER_H
#define CHIMERA_RUNTIME_TRAIN_BALANCER_H

#include <cstdint>
#include <vector>

namespace chimera::train {

/// router.balancer of the config.
struct BalancerOptions {
  double ema = 0.95;
  double step = 1e-3;
  double clip = 4.0;
};

/// One step of one layer (docs/model.md, "Routing"; after Wang et al. 2024, "Auxiliary-loss-free load balancing"), for
/// K modes: with f_k = wanted_k / sum(wanted),
///   average_k = ema average_k + (1 - ema) f_k;  bias_k = clip(bias_k + step sign(target_k - average_k), -clip, +clip)
/// in f64 from the stored f32, each rounded once to f32 (the target too, before it is compared). `wanted` are counts
/// over the tokens of the whole step; when all are 0, nothing changes.
void balance(const BalancerOptions &options, const std::vector<int64_t> &wanted, const std::vector<double> &target,
             std::vector<float> &average, std::vector<float> &bias);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_BALANCER_H
