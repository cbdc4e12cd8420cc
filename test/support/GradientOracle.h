// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The gradient of a training run, independently of the compiler: the oracle's model over the Vars of a tape.
#ifndef CHIMERA_TEST_SUPPORT_GRADIENTORACLE_H
#define CHIMERA_TEST_SUPPORT_GRADIENTORACLE_H

#include "test/support/OracleModel.h"

#include <array>
#include <cstdint>
#include <vector>

namespace chimera::test {

/// Hard: each token runs its admitted mode alone, capacity applies. Soft: every mode of the layer, weighted by p.
enum class TrainingRouting { Hard, Soft };

/// The target of a position that does not count.
inline constexpr int kIgnoredTarget = -100;

/// Whole sequences, [B][T]; they may differ in length. targets[b][t] is what follows tokens[b][t], or kIgnoredTarget.
struct TrainingBatch {
  std::vector<std::vector<int>> tokens, targets;
};

struct TrainingExtras {
  /// Of the routers' softmax, in place of the config's.
  double temperature = 1.0;
  /// [L]; empty: none. The gradient is that of the loss + sum over tokens and layers with a router of
  /// sum_k (price_k p_k - push_k ln(1 - p_k) - pull_k ln p_k) + coefficient * entropy(p).
  std::vector<oracle::LayerPrices> prices;
  /// [rows][L][4], rows being the tokens of all sequences one after the other; empty: none. The wanted mode is
  /// argmax(s + temperature * noise); p is without noise in hard routing, in soft routing softmax(q + noise).
  std::vector<double> noise;
};

struct TrainingResult {
  /// Mean cross entropy over the targets that count; 0 if none does.
  double loss = 0.0;
  /// The loss and what the prices add.
  double objective = 0.0;
  /// How many targets count, and at how many of them the greatest logit (the first of equals) is the target's.
  int64_t targets = 0, correct = 0;
  /// [B][T][L]: the admitted mode; in soft routing the wanted one.
  std::vector<RoutingTable> modes;
  /// [L]: sums over all tokens; zeros in layers without a router.
  std::vector<oracle::RouterStatistics> statistics;
  /// How close any routing decision was, as in OracleResult.
  double smallestMargin = 0.0;
};

struct GradientResult : TrainingResult {
  /// Of the objective by every trainable parameter, by its name in a model directory: all but the routers' bias and
  /// ema.
  TensorMap gradients;
};

/// Whether a parameter of that name is trained by gradients: those of routers' choices, router.bias and router.ema,
/// not.
bool hasGradient(const std::string &parameter);

/// A forward pass over whole sequences, in double. With `stopped`, gate `one` computes p - stop(p) + 1 with the
/// value stopped on the first evaluation, so that differences of the objective tend to the straight-through gradient.
TrainingResult trainingOracle(const Config &config, const TensorMap &parameters, const TrainingBatch &batch,
                              TrainingRouting routing, const TrainingExtras &extras,
                              oracle::StoppedValues *stopped = nullptr);

/// The same with gradients. Admission and what noise and bias do to it have none; gate `one` has the straight-through
/// gradient d objective / d p_m = <d objective / dz, mixer_m(h)>.
GradientResult gradientOracle(const Config &config, const TensorMap &parameters, const TrainingBatch &batch,
                              TrainingRouting routing, const TrainingExtras &extras);

/// `sequences` of `length` random tokens with random targets, of which about a third, but not all, are ignored.
TrainingBatch randomBatch(const Config &config, int sequences, int length, uint64_t seed);

} // namespace chimera::test

#endif
