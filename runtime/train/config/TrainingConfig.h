// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a model is trained: the key `training` of config.json, every default applied and every value checked. The page is
// docs/training.md.
#ifndef CHIMERA_RUNTIME_TRAIN_CONFIG_TRAININGCONFIG_H
#define CHIMERA_RUNTIME_TRAIN_CONFIG_TRAININGCONFIG_H

#include "dialect/frontend/Config.h"
#include "runtime/io/Result.h"
#include "runtime/train/config/Curve.h"
#include "runtime/train/config/RoutingSchedule.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace chimera::train {

/// AdamW with clipping by the global norm.
struct OptimizerConfig {
  double learningRate = 1e-3; ///< the greatest of the schedule
  double beta1 = 0.9, beta2 = 0.95;
  double epsilon = 1e-8;
  double weightDecay = 0.1;
  double clip = 1.0;     ///< infinity: no clipping
  double routerRate = 1; ///< what the learning rate of the routers' parameters is multiplied with
};

/// Cosine: warm-up, then half a cosine to `final`. Wsd: warm-up, constant, then linear to `final` over the last `decay`
/// of the run (warm-up-stable-decay). Constant: warm-up, then constant.
enum class ScheduleKind { Cosine, Wsd, Constant };

struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::Cosine;
  int64_t warmup = 100; ///< steps
  double final = 0.1;   ///< of the greatest rate, at the end
  double decay = 0.25;  ///< wsd: of the run
};

/// Whether a share of tokens is the mean of their probabilities or counts the modes that they were admitted to.
enum class Measure { Soft, Hard };
/// Whose share is held against the cap, and which layers pay: the mean over the layers that route, and all; or each
/// layer's own, and it.
enum class Scope { Mean, Layer };
/// What a token pays: c p, or -c ln(1 - p), and as a bonus -c p, or -c ln p.
enum class Form { Linear, Log };

/// A price on a mode while more than `cap` of the tokens take it.
struct BudgetConfig {
  Mode mode = Mode::Full;
  double coefficient = 3;
  Curve cap{1.0};
  Measure measure = Measure::Soft;
  Scope scope = Scope::Mean;
  Form form = Form::Linear;
  double pauseGap = std::numeric_limits<double>::infinity(); ///< of soft minus hard held-out accuracy
  double startAccuracy = 0;                                  ///< held out; the squeeze waits for it
  Curve holdAccuracy{0.0}; ///< of training under hard routing, smoothed; nothing is priced below it
  Curve restore{0.0};      ///< the coefficient of the bonus that the mode has instead
  double growth = 1;       ///< of the coefficient, a step that it applies
  double limit = 3;        ///< the greatest coefficient that growth leads to
  double until = 1;        ///< fraction of the run from which nothing is priced or rewarded
};

/// A bonus for a mode of a layer while less than its share of the tokens take it.
struct FloorConfig {
  std::array<double, numModes> share = {};
  double coefficient = 1;
  Measure measure = Measure::Hard;
};

struct TrainingConfig {
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  RoutingSchedule routing;
  Curve temperature{1.0}; ///< of the routers; config.json's router.temperature unless given
  Curve entropy{0.0};     ///< coefficient of the entropy of p, mean over tokens, summed over layers
  std::optional<BudgetConfig> budget;
  double switchLoss = 0; ///< coefficient of the auxiliary loss of Switch Transformers
  std::optional<FloorConfig> floor;
  double balancerFrom = 0, balancerUntil = 1; ///< fractions of the run
  Curve balancerFactor{1.0};                  ///< on router.balancer.step
  int64_t evaluateEvery = 100;                ///< steps; 0: only at the end
  int64_t evaluateSequences = 64;
  int64_t checkpointEvery = 500; ///< steps; 0: only at the end
  int64_t keepCheckpoints = 2;
};

/// Reads the key `training` of the object in a config.json's text; without the key all is default. `temperature` is the
/// config's router.temperature; `fileName` is for messages: "config.json: key 'training.optimizer.lr': must be > 0,
/// got 0".
io::Result<TrainingConfig> parseTraining(std::string_view text, std::string_view fileName, double temperature);

/// Where step `step` (0-based) of `steps` is on a schedule value: 0 for the first, 1 for the last, also if it is the
/// only one.
double scheduleFraction(int64_t step, int64_t steps);

/// The rate of step `step` (0-based) of `steps`, of the greatest one: in 0 .. 1. That of the last step is `final`,
/// unless the run is no longer than its warm-up, or the schedule is constant.
double learningRateFactor(const ScheduleConfig &schedule, int64_t step, int64_t steps);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_CONFIG_TRAININGCONFIG_H
