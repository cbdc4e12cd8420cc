// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a run records. Each record is one JSON object: a line of the log, a point of the page.
#ifndef CHIMERA_RUNTIME_TRAIN_REPORT_RECORDS_H
#define CHIMERA_RUNTIME_TRAIN_REPORT_RECORDS_H

#include "runtime/train/config/PlanState.h"
#include "runtime/train/config/RoutingSchedule.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace chimera::train {

/// One layer that routes, after a step.
struct LayerRecord {
  int64_t layer = 0;
  LayerShares shares;
  std::array<double, 4> bias = {}; ///< The balancer's, by canonical mode; 0 for modes that the layer lacks.
};

/// One step.
struct StepRecord {
  int64_t step = 0;           ///< Steps done, this one included.
  double loss = 0;            ///< Mean cross entropy over the targets of the global batch, in nats.
  double accuracy = 0;        ///< Share of the targets predicted.
  double tokensPerSecond = 0; ///< Of this step, all ranks.
  double learningRate = 0;
  double norm = 0; ///< Of the gradient, before clipping.
  double temperature = 0;
  RoutingMoment routing;
  double cap = 1; ///< Of the budget.
  double budgetPrice = 0;
  bool squeezeWaits = false;
  std::vector<LayerRecord> layers; ///< Those that route.
};

/// Loss and accuracy on the held-out sequences.
struct HeldOutRecord {
  double loss = 0, accuracy = 0;
};

/// How the tokens of one class were routed in one layer, hard.
struct ClassRouting {
  int64_t layer = 0;
  std::string positions;             ///< The class: "key", "query", ...
  std::array<double, 4> shares = {}; ///< By canonical mode.
  int64_t tokens = 0;
};

/// The same on those of one source of a mixture.
struct SourceRecord {
  std::string source;    ///< As --data has it.
  int64_t sequences = 0; ///< Of the evaluation.
  HeldOutRecord hard;
  std::optional<HeldOutRecord> soft;
};

/// One evaluation on held-out sequences.
struct EvaluationRecord {
  int64_t step = 0; ///< Steps done.
  HeldOutRecord hard;
  std::optional<HeldOutRecord> soft; ///< Of a model that routes.
  std::vector<SourceRecord> sources; ///< Of a mixture.
  std::vector<ClassRouting> classes; ///< Of data that has classes, and a model that routes.
};

/// {"kind": "step", ...}. Numbers that are not finite become null.
nlohmann::json toJson(const StepRecord &record);

/// {"kind": "evaluation", ...}; with "soft" also "gap", soft minus hard accuracy.
nlohmann::json toJson(const EvaluationRecord &record);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_REPORT_RECORDS_H
