// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Profile.h"

namespace chimera::runtime {

Profile::Profile(const Variant &variant, size_t maxEvents)
    : firstDecode(variant.prefill.launches.size()), maxEvents(maxEvents) {
  auto add = [&](const Phase &phase, int32_t number) {
    for (size_t i = 0; i < phase.launches.size(); ++i)
      launches.push_back({number, int64_t(i), &phase.launches[i], 0, 0});
  };
  add(variant.prefill, CHIMERA_PHASE_PREFILL);
  if (variant.decode)
    add(*variant.decode, CHIMERA_PHASE_DECODE);
  runs.reserve(maxEvents);
}

static int64_t nanoseconds(Profile::Clock::duration time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

void Profile::record(int32_t phase, size_t launch, Clock::time_point begin, Clock::time_point end) {
  int64_t spent = nanoseconds(end - begin);
  Entry &entry = launches[(phase == CHIMERA_PHASE_DECODE ? firstDecode : 0) + launch];
  ++entry.calls;
  entry.nanoseconds += spent;
  if (runs.size() < maxEvents)
    runs.push_back({phase, int32_t(launch), nanoseconds(begin - origin), spent});
}

} // namespace chimera::runtime
