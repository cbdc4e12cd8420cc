// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/report/Progress.h"

#include <algorithm>
#include <cmath>

namespace chimera::train {

std::string durationText(double seconds) {
  auto whole = int64_t(std::llround(std::clamp(seconds, 0.0, 1e9)));
  char text[48];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%lldh%02lldm", (long long)(whole / 3600), (long long)(whole / 60 % 60));
  else if (whole >= 60)
    std::snprintf(text, sizeof text, "%lldm%02llds", (long long)(whole / 60), (long long)(whole % 60));
  else
    std::snprintf(text, sizeof text, "%llds", (long long)whole);
  return text;
}

static std::string bar(double done) {
  constexpr int width = 24;
  auto full = int(std::clamp(done, 0.0, 1.0) * width);
  return "[" + std::string(full, '#') + std::string(width - full, '.') + "]";
}

void Progress::step(int64_t step, double loss, double accuracy, int64_t tokens, double seconds) {
  constexpr double memory = 0.95;        // of the averages, a step
  constexpr double refreshSeconds = 0.1; // between two rewritings of a terminal's line
  double speed = seconds > 0 ? double(tokens) / seconds : 0;
  rate = rate == 0 ? speed : memory * rate + (1 - memory) * speed;
  secondsPerStep = secondsPerStep == 0 ? seconds : memory * secondsPerStep + (1 - memory) * seconds;
  sincePrint += seconds;
  if (terminal ? sincePrint < refreshSeconds && step < steps : step % every != 0 && step < steps)
    return;
  sincePrint = 0;
  char numbers[192];
  std::snprintf(numbers, sizeof numbers, "step %lld/%lld  loss %.4f  accuracy %.3f  %.0f tokens/s  %s left",
                (long long)step, (long long)steps, loss, accuracy, rate,
                durationText(secondsPerStep * double(steps - step)).c_str());
  if (terminal) {
    std::fprintf(stream, "\r%s %s\x1b[K", bar(double(step) / double(steps)).c_str(), numbers);
    open = true;
  } else {
    std::fprintf(stream, "%s\n", numbers);
  }
  std::fflush(stream);
}

void Progress::clear() {
  if (open)
    std::fputs("\r\x1b[K", stream);
  open = false;
}

void Progress::line(const std::string &text) {
  clear();
  std::fprintf(stream, "%s\n", text.c_str());
  std::fflush(stream);
}

void Progress::finish() {
  if (open)
    std::fputs("\n", stream);
  open = false;
  std::fflush(stream);
}

} // namespace chimera::train
