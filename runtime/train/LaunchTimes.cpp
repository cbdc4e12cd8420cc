// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/LaunchTimes.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace chimera::train {

using runtime::TrainingProgram;

void LaunchTimes::record(TrainingProgram program, const runtime::Phase &phase, size_t launch, Clock::duration time) {
  std::vector<Sum> &sums = programs[size_t(program)];
  sums.resize(phase.launches.size());
  sums[launch].launch = &phase.launches[launch];
  ++sums[launch].calls;
  sums[launch].time += time;
}

void LaunchTimes::clear() {
  for (std::vector<Sum> &sums : programs)
    sums.clear();
}

namespace {

/// A line of the table.
struct Line {
  std::string name; ///< Program, op and kernel.
  int64_t calls = 0;
  double seconds = 0;
};

} // namespace

static std::string text(const char *format, double milliseconds, double calls, double percent) {
  char line[64];
  std::snprintf(line, sizeof line, format, milliseconds, calls, percent);
  return line;
}

std::string LaunchTimes::table(double seconds, int64_t steps) const {
  std::map<std::string, Line> byKernel;
  for (size_t program = 0; program < programs.size(); ++program)
    for (const Sum &sum : programs[program]) {
      if (!sum.launch)
        continue;
      std::string name = nameOf(TrainingProgram(program)) + (" " + sum.launch->op) + " " + sum.launch->kernel;
      Line &line = byKernel[name];
      line.name = name;
      line.calls += sum.calls;
      line.seconds += std::chrono::duration<double>(sum.time).count();
    }
  std::vector<Line> lines;
  double rest = seconds;
  for (auto &[key, line] : byKernel) {
    rest -= line.seconds;
    lines.push_back(std::move(line));
  }
  std::stable_sort(lines.begin(), lines.end(), [](const Line &a, const Line &b) { return a.seconds > b.seconds; });
  std::string table = "   ms a step  launches   share  program, op, kernel\n";
  for (const Line &line : lines)
    table += text("%12.3f %9.1f %6.1f%%  ", 1e3 * line.seconds / double(steps), double(line.calls) / double(steps),
                  100 * line.seconds / seconds) +
             line.name + "\n";
  return table + text("%12.3f %9.1f %6.1f%%  ", 1e3 * rest / double(steps), 0, 100 * rest / seconds) +
         "outside of launches\n";
}

} // namespace chimera::train
