// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/config/TrainingConfig.h"

#include <algorithm>
#include <cmath>

namespace chimera::train {

double learningRateFactor(const ScheduleConfig &schedule, int64_t step, int64_t steps) {
  constexpr double pi = 3.14159265358979323846;
  if (step < schedule.warmup)
    return double(step + 1) / double(schedule.warmup);
  switch (schedule.kind) {
  case ScheduleKind::Cosine: {
    double done = double(step - schedule.warmup) / double(std::max<int64_t>(steps - schedule.warmup, 1));
    return schedule.final + (1 - schedule.final) * 0.5 * (1 + std::cos(pi * std::min(done, 1.0)));
  }
  case ScheduleKind::Wsd: {
    double left = 1 - double(step) / double(steps);
    return left >= schedule.decay ? 1.0 : schedule.final + (1 - schedule.final) * std::max(left, 0.0) / schedule.decay;
  }
  case ScheduleKind::Constant:
    break;
  }
  return 1.0;
}

} // namespace chimera::train
