// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/config/TrainingConfig.h"

#include <algorithm>
#include <cmath>

namespace chimera::train {

double scheduleFraction(int64_t step, int64_t steps) {
  return steps > 1 ? double(step) / double(steps - 1) : 1.0;
}

double learningRateFactor(const ScheduleConfig &schedule, int64_t step, int64_t steps) {
  constexpr double pi = 3.14159265358979323846;
  if (step < schedule.warmup)
    return double(step + 1) / double(schedule.warmup);
  const double left = double(std::max<int64_t>(steps - 1 - step, 0)); // Steps after this one.
  switch (schedule.kind) {
  case ScheduleKind::Cosine: {
    double all = double(steps - 1 - schedule.warmup);
    double share = all > 0 ? left / all : 0.0;
    return schedule.final + (1 - schedule.final) * 0.5 * (1 - std::cos(pi * share));
  }
  case ScheduleKind::Wsd: {
    double share = std::min(left / (schedule.decay * double(steps)), 1.0);
    return schedule.final + (1 - schedule.final) * share;
  }
  case ScheduleKind::Constant:
    break;
  }
  return 1.0;
}

} // namespace chimera::train
