// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Metrics.h"

#include "runtime/core/Manifest.h"

#include <algorithm>
#include <cstdio>

namespace chimera::serve {

static std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

static void head(std::string &out, const char *name, const char *type, const char *help) {
  out += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

static void single(std::string &out, const char *name, const char *type, const char *help, int64_t value) {
  head(out, name, type, help);
  out += std::string(name) + " " + std::to_string(value) + "\n";
}

static void seconds(std::string &out, const char *name, const char *help, double value) {
  head(out, name, "counter", help);
  out += std::string(name) + " " + number(value) + "\n";
}

static void byMode(std::string &out, const char *name, const char *help, const int64_t *bytes) {
  head(out, name, "gauge", help);
  for (int mode = 0; mode < CHIMERA_MEMORY_COUNT; ++mode)
    out += std::string(name) + "{mode=\"" + runtime::nameOf(runtime::CacheMode(mode)) + "\"} " +
           std::to_string(bytes[mode]) + "\n";
}

void Histogram::add(double seconds) {
  ++counts[size_t(std::lower_bound(bounds.begin(), bounds.end(), seconds) - bounds.begin())];
  sum += seconds;
}

void Histogram::print(std::string &out, const char *name, const char *help) const {
  head(out, name, "histogram", help);
  int64_t count = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    count += counts[i];
    out += std::string(name) + "_bucket{le=\"" + (i < bounds.size() ? number(bounds[i]) : "+Inf") + "\"} " +
           std::to_string(count) + "\n";
  }
  out += std::string(name) + "_sum " + number(sum) + "\n" + name + "_count " + std::to_string(count) + "\n";
}

Metrics::Metrics()
    : steps({0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}),
      firstTokens({0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100}) {}

void Metrics::countRequest(const std::string &endpoint, int status) {
  std::lock_guard<std::mutex> lock(mutex);
  ++requests[{endpoint, status}];
}

void Metrics::countPromptTokens(int64_t tokens) {
  std::lock_guard<std::mutex> lock(mutex);
  promptTokens += tokens;
}

void Metrics::countMadeTokens(int64_t tokens) {
  std::lock_guard<std::mutex> lock(mutex);
  madeTokens += tokens;
}

void Metrics::countCancelled() {
  std::lock_guard<std::mutex> lock(mutex);
  ++cancelled;
}

void Metrics::addStep(double seconds, int64_t tokens) {
  std::lock_guard<std::mutex> lock(mutex);
  steps.add(seconds);
  stepTokens += tokens;
}

void Metrics::addFirstToken(double seconds) {
  std::lock_guard<std::mutex> lock(mutex);
  firstTokens.add(seconds);
}

void Metrics::addBusy(double seconds) {
  std::lock_guard<std::mutex> lock(mutex);
  busySeconds += seconds;
}

void Metrics::addSpeculation(const Speculated &step) {
  std::lock_guard<std::mutex> lock(mutex);
  speculated.proposed += step.proposed;
  speculated.accepted += step.accepted;
  speculated.repeated += step.repeated;
  speculated.seconds += step.seconds;
  takenBack += step.takenBack;
}

void Metrics::printSpeculation(std::string &out) const {
  single(out, "chimera_speculation_proposed_tokens_total", "counter", "Tokens that were guessed.", speculated.proposed);
  single(out, "chimera_speculation_accepted_tokens_total", "counter",
         "Guesses that were right; each saves its sequence a step.", speculated.accepted);
  single(out, "chimera_speculation_rollbacks_total", "counter", "Steps of sequences that were taken back.", takenBack);
  single(out, "chimera_speculation_repeated_tokens_total", "counter", "Tokens fed again after that.",
         speculated.repeated);
  seconds(out, "chimera_speculation_rollback_seconds_total", "Time spent on copies of caches, to take steps back.",
          speculated.seconds);
}

void Metrics::setGauges(const Gauges &now) {
  std::lock_guard<std::mutex> lock(mutex);
  gauges = now;
}

std::string Metrics::text() const {
  std::lock_guard<std::mutex> lock(mutex);
  std::string out;
  head(out, "chimera_requests_total", "counter", "Requests that were answered, by endpoint and HTTP status.");
  for (const auto &[key, count] : requests)
    out += "chimera_requests_total{endpoint=\"" + key.first + "\",status=\"" + std::to_string(key.second) + "\"} " +
           std::to_string(count) + "\n";
  single(out, "chimera_requests_cancelled_total", "counter", "Requests whose client went away or whose time was over.",
         cancelled);
  single(out, "chimera_prompt_tokens_total", "counter", "Tokens of prompts that were fed.", promptTokens);
  single(out, "chimera_generated_tokens_total", "counter", "Tokens that were made.", madeTokens);
  single(out, "chimera_step_tokens_total", "counter", "Tokens of all steps.", stepTokens);
  single(out, "chimera_requests_queued", "gauge", "Requests that wait for memory.", gauges.queued);
  single(out, "chimera_sequences_running", "gauge", "Sequences that hold memory.", gauges.running);
  byMode(out, "chimera_cache_reserved_bytes", "Cache bytes set aside, by mode.", gauges.memory.reserved);
  byMode(out, "chimera_cache_used_bytes", "Cache bytes that hold something, by mode.", gauges.memory.used);
  byMode(out, "chimera_cache_planned_bytes", "Cache bytes that what runs may come to need, by mode.",
         gauges.planned.byMode.data());
  single(out, "chimera_cache_limit_bytes", "gauge", "The most that may be planned.", gauges.plannedLimit);
  single(out, "chimera_prefix_hits_total", "counter", "Prompts that began from a kept beginning.",
         gauges.prefixes.hits);
  single(out, "chimera_prefix_tokens_total", "counter", "Tokens of prompts that were not fed.", gauges.prefixes.tokens);
  single(out, "chimera_prefixes_kept", "gauge", "Beginnings of prompts that are kept.", gauges.prefixes.kept);
  byMode(out, "chimera_prefix_bytes", "Cache bytes that kept beginnings may hold, by mode.", gauges.kept.byMode.data());
  printSpeculation(out);
  seconds(out, "chimera_busy_seconds_total", "Time in which something ran.", busySeconds);
  steps.print(out, "chimera_step_seconds", "How long steps took.");
  firstTokens.print(out, "chimera_time_to_first_token_seconds",
                    "From the arrival of a request until its first new token.");
  return out;
}

} // namespace chimera::serve
