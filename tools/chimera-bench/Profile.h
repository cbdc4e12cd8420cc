// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The time of each launch of a run, and the run as a time line.
#ifndef CHIMERA_TOOLS_CHIMERABENCH_PROFILE_H
#define CHIMERA_TOOLS_CHIMERABENCH_PROFILE_H

#include "runtime/abi/chimera.h"
#include "runtime/io/Result.h"
#include "tools/chimera-bench/Cost.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chimera::bench {

/// One launch of the table with its sums over a run.
struct LaunchRow {
  int32_t phase = 0; ///< CHIMERA_PHASE_*.
  int64_t index = 0;
  int64_t layer = -1;
  std::string kernel, op;
  int64_t calls = 0;
  int64_t nanoseconds = 0;
  Cost cost;
};

struct LaunchProfile {
  double seconds = 0;              ///< Of the run's steps; what is not in a launch is the runtime's own.
  std::vector<LaunchRow> launches; ///< Prefill's, then decode's, those that never ran included.
  std::vector<chimera_launch_event> events;
  bool isCut = false; ///< There were more events than are kept.

  /// Those that ran, the longest first.
  std::vector<const LaunchRow *> byTime() const;
  int64_t nanoseconds() const;
};

/// Reads the session's profile; `costs` are those of its launches.
io::Result<LaunchProfile> readProfile(const chimera_session *session, const std::vector<Cost> &costs, double seconds);

/// A run in a trace.
struct TraceRun {
  std::string name;
  const LaunchProfile *profile;
};

/// Writes complete events ("ph": "X") in the JSON form of Chrome's trace format, which chrome://tracing and Perfetto
/// load: a process a run, each with its own time from 0.
io::Status writeTrace(const std::string &path, const std::vector<TraceRun> &runs);

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_PROFILE_H
