// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/Profile.h"

#include "runtime/io/AtomicFile.h"
#include "tools/chimera-bench/Handles.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <tuple>

namespace chimera::bench {

using nlohmann::json;

std::vector<const LaunchRow *> LaunchProfile::byTime() const {
  std::vector<const LaunchRow *> rows;
  for (const LaunchRow &row : launches)
    if (row.calls > 0)
      rows.push_back(&row);
  std::sort(rows.begin(), rows.end(), [](const LaunchRow *a, const LaunchRow *b) {
    return std::make_tuple(-a->nanoseconds, a->phase, a->index) < std::make_tuple(-b->nanoseconds, b->phase, b->index);
  });
  return rows;
}

int64_t LaunchProfile::nanoseconds() const {
  int64_t sum = 0;
  for (const LaunchRow &row : launches)
    sum += row.nanoseconds;
  return sum;
}

io::Result<LaunchProfile> readProfile(const chimera_session *session, const std::vector<Cost> &costs, double seconds) {
  LaunchProfile profile;
  profile.seconds = seconds;
  int64_t calls = 0;
  for (size_t i = 0; i < chimera_profile_launches(session); ++i) {
    ErrorSlot error;
    chimera_launch_profile launch = {};
    launch.struct_size = sizeof launch;
    if (chimera_profile_launch(session, i, &launch, error))
      return error.take();
    profile.launches.push_back({launch.phase, launch.index, launch.layer, launch.kernel, launch.op, launch.calls,
                                launch.nanoseconds, i < costs.size() ? costs[i] : Cost()});
    calls += launch.calls;
  }
  const chimera_launch_event *events = nullptr;
  size_t count = chimera_profile_events(session, &events);
  profile.events.assign(events, events + count);
  profile.isCut = int64_t(count) < calls;
  return profile;
}

/// The rows of a phase begin here.
static size_t firstOf(const LaunchProfile &profile, int32_t phase) {
  size_t at = 0;
  while (at < profile.launches.size() && profile.launches[at].phase != phase)
    ++at;
  return at;
}

static void addRun(json &events, const TraceRun &run, int64_t process) {
  events.push_back({{"ph", "M"}, {"pid", process}, {"name", "process_name"}, {"args", {{"name", run.name}}}});
  size_t first[] = {firstOf(*run.profile, CHIMERA_PHASE_PREFILL), firstOf(*run.profile, CHIMERA_PHASE_DECODE)};
  for (const chimera_launch_event &event : run.profile->events) {
    const LaunchRow &row = run.profile->launches[first[event.phase] + size_t(event.index)];
    events.push_back({{"ph", "X"},
                      {"pid", process},
                      {"tid", 0},
                      {"name", row.op},
                      {"cat", event.phase == CHIMERA_PHASE_DECODE ? "decode" : "prefill"},
                      {"ts", double(event.start) / 1000},
                      {"dur", double(event.nanoseconds) / 1000},
                      {"args", {{"launch", row.index}, {"layer", row.layer}, {"kernel", row.kernel}}}});
  }
}

io::Status writeTrace(const std::string &path, const std::vector<TraceRun> &runs) {
  json events = json::array();
  json cut = json::array();
  int64_t process = 0;
  for (const TraceRun &run : runs) {
    addRun(events, run, process++);
    if (run.profile->isCut)
      cut.push_back(run.name);
  }
  json trace = {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ns"}, {"otherData", {{"cut_runs", cut}}}};
  return io::writeWhole(path, trace.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
}

} // namespace chimera::bench
