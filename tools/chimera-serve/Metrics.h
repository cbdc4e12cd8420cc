// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What /metrics tells, in the text format of Prometheus (version 0.0.4).
#ifndef CHIMERA_TOOLS_CHIMERASERVE_METRICS_H
#define CHIMERA_TOOLS_CHIMERASERVE_METRICS_H

#include "runtime/abi/chimera.h"
#include "tools/chimera-serve/MemoryPlan.h"
#include "tools/chimera-serve/PrefixCache.h"
#include "tools/chimera-serve/Speculation.h"

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace chimera::serve {

/// How often a duration was at most each of some bounds, in seconds.
class Histogram {
public:
  explicit Histogram(std::vector<double> bounds) : bounds(std::move(bounds)), counts(this->bounds.size() + 1) {}
  void add(double seconds);
  void print(std::string &out, const char *name, const char *help) const;

private:
  std::vector<double> bounds;
  std::vector<int64_t> counts; ///< [bounds + 1], each without those before.
  double sum = 0;
};

/// What is so at a moment, rather than counted.
struct Gauges {
  int64_t queued = 0, running = 0; ///< Requests that wait, sequences that run.
  Need planned;
  int64_t plannedLimit = 0;
  chimera_memory memory = {};
  PrefixCounts prefixes;
  Need kept;
};

/// Counts; threads share it.
class Metrics {
public:
  Metrics();

  void countRequest(const std::string &endpoint, int status);
  void countPromptTokens(int64_t tokens);
  void countMadeTokens(int64_t tokens);
  void countCancelled();
  void addStep(double seconds, int64_t tokens);
  void addFirstToken(double seconds);
  /// Time in which something ran.
  void addBusy(double seconds);
  void addSpeculation(const Speculated &step);
  void setGauges(const Gauges &now);

  std::string text() const;

private:
  void printSpeculation(std::string &out) const;

  mutable std::mutex mutex;
  std::map<std::pair<std::string, int>, int64_t> requests; ///< By endpoint and status.
  int64_t promptTokens = 0, madeTokens = 0, cancelled = 0, stepTokens = 0;
  double busySeconds = 0;
  int64_t takenBack = 0;
  Speculated speculated; ///< Sums.
  Histogram steps, firstTokens;
  Gauges gauges;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_METRICS_H
