// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// --profile: where the time of the steps goes.
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_PROFILE_H
#define CHIMERA_TOOLS_CHIMERATRAIN_PROFILE_H

#include "runtime/train/Programs.h"

#include <string>

namespace chimera::train {

/// The time of this process' steps. The first one is left out if another follows: in it memory is touched for the first
/// time.
class Profile {
public:
  /// The programs must outlive the profile.
  explicit Profile(Programs &programs) : programs(programs) {}

  /// Around each step: launches in between are counted.
  void begin();
  void end(double seconds);
  /// Writes the table of LaunchTimes; nothing when no step was taken.
  Failure write(const std::string &path) const;

private:
  Programs &programs;
  LaunchTimes times;
  bool isFirst = true;
  int64_t steps = 0;
  double sum = 0; ///< seconds
};

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_PROFILE_H
