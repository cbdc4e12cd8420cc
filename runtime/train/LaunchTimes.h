// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the time of a step goes: sums over the launches of the training programs.
#ifndef CHIMERA_RUNTIME_TRAIN_LAUNCHTIMES_H
#define CHIMERA_RUNTIME_TRAIN_LAUNCHTIMES_H

#include "runtime/core/Manifest.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace chimera::train {

/// Sums the time of each launch of each program.
class LaunchTimes {
public:
  using Clock = std::chrono::steady_clock;

  void record(runtime::TrainingProgram program, const runtime::Phase &phase, size_t launch, Clock::duration time);
  /// Forgets what was recorded.
  void clear();

  /// A table of text, a line for each kernel of each op of each program, the longest first, with the milliseconds, runs
  /// and launches of a step, and the share of `seconds`, which `steps` steps took in all. Its last line is what was
  /// spent outside of launches.
  std::string table(double seconds, int64_t steps) const;

private:
  struct Sum {
    const runtime::Launch *launch = nullptr;
    int64_t calls = 0;
    Clock::duration time = {};
  };
  std::array<std::vector<Sum>, runtime::trainingProgramCount> programs;
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_LAUNCHTIMES_H
