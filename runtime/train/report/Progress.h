// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_TRAIN_REPORT_PROGRESS_H
#define CHIMERA_RUNTIME_TRAIN_REPORT_PROGRESS_H

#include <cstdint>
#include <cstdio>
#include <string>

namespace chimera::train {

/// Seconds as "1h02m", "3m07s" or "42s".
std::string durationText(double seconds);

/// Where a run is: on a terminal one line that is rewritten, elsewhere a plain line now and then. Speed and the time
/// left are of the last steps, with a memory of about 20.
class Progress {
public:
  /// `every`: steps between plain lines.
  Progress(std::FILE *stream, bool terminal, int64_t steps, int64_t every)
      : stream(stream), terminal(terminal), steps(steps), every(every) {}

  /// A step is done, the `step`-th, of `tokens` tokens in `seconds`.
  void step(int64_t step, double loss, double accuracy, int64_t tokens, double seconds);
  /// Prints a line of its own.
  void line(const std::string &text);
  /// Ends the line that is rewritten.
  void finish();

  double tokensPerSecond() const { return rate; }

private:
  void clear();

  std::FILE *stream;
  bool terminal;
  int64_t steps, every;
  double rate = 0, secondsPerStep = 0, sincePrint = 0;
  bool open = false; ///< Whether the terminal's line is unfinished.
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_REPORT_PROGRESS_H
