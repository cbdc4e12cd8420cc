// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The squeeze: the price of one mode, that follows what the model can bear. docs/training.md, "The squeeze".
//
// Minimising the share of a mode while the accuracy stays above a bound is a constrained problem; the price is its
// Lagrange multiplier. It grows geometrically while the bound holds and the share is above the cap, shrinks while the
// bound is broken, and then the mode is rewarded instead, so that what was taken too fast comes back.
#ifndef CHIMERA_RUNTIME_TRAIN_CONFIG_BUDGET_H
#define CHIMERA_RUNTIME_TRAIN_CONFIG_BUDGET_H

#include "runtime/train/config/PlanState.h"
#include "runtime/train/config/TrainingConfig.h"

namespace chimera::train {

/// The share of the tokens, in 0 .. 1, that `mode` has by this measure.
double shareOf(const LayerShares &shares, Measure measure, Mode mode);

class Budget {
public:
  /// `layerModes`: [L]. `steps` >= 1: of the run.
  Budget(BudgetConfig config, const std::vector<std::vector<Mode>> &layerModes, int64_t steps);

  /// The greatest share that is not priced, at the state's clock.
  double cap(const PlanState &state) const;

  /// What a token of each layer pays for a unit of `form` in the mode, [L], as a mean over tokens and the layers that
  /// route: positive where the mode is priced, negative where it is rewarded. `step`: the one to come, 0-based.
  std::vector<double> coefficients(const PlanState &state, int64_t step) const;

  /// Whether the clock stands in this step: the accuracy to start at or to hold is not reached and the cap is about to
  /// fall, or soft is too far above hard.
  bool waits(const PlanState &state, int64_t step) const;

  /// The clock and the pressure after step `step`: `before` is the state before it, `state` has its shares and
  /// accuracy.
  void advance(const PlanState &before, int64_t step, PlanState &state) const;

  Mode mode() const { return config.mode; }
  Form form() const { return config.form; }

private:
  bool holds(const PlanState &state, int64_t step) const;
  bool mayPrice(const PlanState &state) const;
  double price(const PlanState &state) const { return config.coefficient * state.pressure; }
  double bonus(int64_t step) const { return -config.restore.at(scheduleFraction(step, steps)); }
  /// Of a state with shares: the mode's in each layer that has it, [L], and their mean over the layers that route.
  std::vector<double> shares(const PlanState &state) const;
  double mean(const PlanState &state) const;

  BudgetConfig config;
  std::vector<bool> has; ///< [L]: layers with a router that have the mode
  int64_t routedLayers = 0;
  int64_t steps;
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_CONFIG_BUDGET_H
