// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the time of steps goes: a sum for each launch of the tables, and single runs for a time line.
#ifndef CHIMERA_RUNTIME_CORE_PROFILE_H
#define CHIMERA_RUNTIME_CORE_PROFILE_H

#include "runtime/abi/chimera.h"
#include "runtime/core/Manifest.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace chimera::runtime {

/// Times of the launches of one session. Times are those of a monotonic clock, in nanoseconds since the profile began.
class Profile {
public:
  using Clock = std::chrono::steady_clock;

  /// One launch of a launch table.
  struct Entry {
    int32_t phase = 0; ///< CHIMERA_PHASE_*.
    int64_t index = 0; ///< Within its phase.
    const Launch *launch = nullptr;
    int64_t calls = 0; ///< Runs that had at least one block.
    int64_t nanoseconds = 0;
  };

  /// Entries for all launches of `variant`, which must outlive the profile, and room for `maxEvents` single runs: no
  /// memory is taken while steps run.
  Profile(const Variant &variant, size_t maxEvents);

  void record(int32_t phase, size_t launch, Clock::time_point begin, Clock::time_point end);

  /// Prefill's launches, then decode's.
  const std::vector<Entry> &entries() const { return launches; }
  /// The first runs in the order in which they happened, as many as there is room for.
  const std::vector<chimera_launch_event> &events() const { return runs; }

private:
  Clock::time_point origin = Clock::now();
  size_t firstDecode;
  size_t maxEvents;
  std::vector<Entry> launches;
  std::vector<chimera_launch_event> runs;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_PROFILE_H
