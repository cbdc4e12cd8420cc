// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What each step of a run is to do: rates, temperature, the routing, and the prices of modes.
//
// Losses that act on routing are linear in p, ln(1 - p), ln p and the entropy H of the probabilities p, with
// coefficients that depend on the step before. So a step's gradient needs only these, which the kernel of the router's
// gradient adds:
//   loss = cross entropy + sum over rows, layers, modes of (price p - push ln(1 - p) - pull ln p)
//                        + sum over rows and layers of entropyPrice H(p)
// With N rows of a step, Lr layers that route, and `share` the measured one of the step before:
//   budget      coefficient / (Lr N) on its mode, while share > cap (mean: the layers' mean; layer: each its own);
//               Budget.h says how the coefficient changes; by its form a price, or a push and (where negative) a pull
//   switch loss coefficient K f_k / N on mode k, f its share of `wanted`, K the layer's modes (Fedus, Zoph and Shazeer:
//               "Switch Transformers", 2022, equations 4 to 6)
//   floor       - coefficient / (Lr N) on a mode, while its share in the layer is below the floor
//   entropy     coefficient / N
#ifndef CHIMERA_RUNTIME_TRAIN_CONFIG_PLAN_H
#define CHIMERA_RUNTIME_TRAIN_CONFIG_PLAN_H

#include "runtime/train/RunBatch.h"
#include "runtime/train/config/Budget.h"
#include "runtime/train/config/PlanState.h"
#include "runtime/train/config/TrainingConfig.h"

namespace chimera::train {

/// Numbers per layer in `prices`: price, push and pull of each canonical mode, then the entropy's coefficient.
inline constexpr size_t pricesPerLayer = size_t(abi::pricesPerLayer);
static_assert(numModes == abi::modeCount);

/// What one step is to do.
struct StepPlan {
  Hyper hyper;                ///< Its lossScale is left 0, for who knows the targets.
  std::vector<double> prices; ///< [L][13]
  RoutingMoment routing;
  double cap = 1;         ///< The budget's, at its clock; 1 without one.
  double budgetPrice = 0; ///< The budget's coefficient in the first layer where it is not 0.
  double balancer = 0;    ///< Factor on the step by which the balancer moves the biases; 0: it stands still.
};

/// A pure function of (step, state).
class Plan {
public:
  /// `tokens`: rows of a whole step, A B T. `steps` >= 1.
  Plan(TrainingConfig training, const Config &model, int64_t steps, int64_t tokens);

  /// What step `step`, 0 .. steps-1, is to do.
  StepPlan at(int64_t step, const PlanState &state) const;

  /// The state after step `step`, which had these shares ([L]; those of a layer without router do not matter) and this
  /// accuracy on its targets: of the sequences that ran hard, of all when none did.
  PlanState after(int64_t step, PlanState state, std::vector<LayerShares> shares, double accuracy) const;

  /// The state after an evaluation.
  PlanState evaluated(PlanState state, HeldOutAccuracy accuracy) const;

  /// Whether the budget's clock stands in step `step`: see Budget.
  bool squeezeWaits(int64_t step, const PlanState &state) const;

private:
  void addBudget(int64_t step, const PlanState &state, StepPlan &plan) const;
  void addFloor(const PlanState &state, std::vector<double> &prices) const;
  void addSwitchLoss(const PlanState &state, std::vector<double> &prices) const;

  TrainingConfig training;
  std::vector<std::vector<Mode>> layerModes;
  int64_t steps, tokens;
  int64_t routedLayers = 0;
  std::optional<Budget> budget;
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_CONFIG_PLAN_H
