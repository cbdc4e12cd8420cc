// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_TRAIN_CONFIG_PLANSTATE_H
#define CHIMERA_RUNTIME_TRAIN_CONFIG_PLANSTATE_H

#include "runtime/io/Result.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace chimera::train {

/// What the tokens of a step did in one layer, each a mean over them. Arrays are by mode, in canonical order.
struct LayerShares {
  std::array<double, 4> wanted = {};   ///< Whose score was the highest.
  std::array<double, 4> admitted = {}; ///< Whose mixer they went through.
  std::array<double, 4> p = {};        ///< The probability.
  double entropy = 0;                  ///< In nats.
  double refused = 0;                  ///< Did not get the mode wanted.
};

/// Held-out accuracies, in 0 .. 1, of one evaluation.
struct HeldOutAccuracy {
  double soft = 0, hard = 0;
};

/// What a plan remembers from step to step; a checkpoint holds it.
struct PlanState {
  int64_t squeezed = 0;                   ///< Steps that the budget's clock has gone.
  bool started = false;                   ///< Whether the accuracy to start at was reached.
  double accuracy = 0;                    ///< Of training, smoothed: .9 of what it was, .1 of the last step's.
  double pressure = 1;                    ///< Factor that the budget's coefficient has grown by, >= 1.
  std::optional<HeldOutAccuracy> heldOut; ///< Of the last evaluation.
  std::vector<LayerShares> shares;        ///< Of the last step, [L]; empty before the first.
  bool evaluationDue = false;             ///< Whether the run ended before the evaluation after its last step.
};

/// One line of JSON; numbers are read back to the same bits.
std::string planStateText(const PlanState &state);

/// Reads such a text. Errors: not such a text, or of another number of layers.
io::Result<PlanState> parsePlanState(const std::string &text, size_t layers);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_CONFIG_PLANSTATE_H
