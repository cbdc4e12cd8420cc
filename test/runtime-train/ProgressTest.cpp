// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/report/Progress.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace {

using namespace chimera::train;

/// Runs `steps` steps of 100 tokens in half a second and returns what was printed.
std::string printed(bool terminal, int64_t steps, int64_t every) {
  char *text = nullptr;
  size_t size = 0;
  std::FILE *stream = ::open_memstream(&text, &size);
  Progress progress(stream, terminal, steps, every);
  for (int64_t step = 1; step <= steps; ++step)
    progress.step(step, 2.5, 0.125, 100, 0.5);
  progress.line("held out: fine");
  progress.finish();
  std::fclose(stream);
  std::string result(text, size);
  std::free(text);
  return result;
}

TEST(Progress, PrintsPlainLinesNowAndThen) {
  EXPECT_EQ(printed(false, 5, 2), "step 2/5  loss 2.5000  accuracy 0.125  200 tokens/s  2s left\n"
                                  "step 4/5  loss 2.5000  accuracy 0.125  200 tokens/s  1s left\n"
                                  "step 5/5  loss 2.5000  accuracy 0.125  200 tokens/s  0s left\n"
                                  "held out: fine\n");
}

TEST(Progress, RewritesALineOnATerminal) {
  EXPECT_EQ(printed(true, 2, 100),
            "\r[############............] step 1/2  loss 2.5000  accuracy 0.125  200 tokens/s  1s left\x1b[K"
            "\r[########################] step 2/2  loss 2.5000  accuracy 0.125  200 tokens/s  0s left\x1b[K"
            "\r\x1b[Kheld out: fine\n");
}

TEST(Progress, WritesDurations) {
  EXPECT_EQ(durationText(0), "0s");
  EXPECT_EQ(durationText(59.4), "59s");
  EXPECT_EQ(durationText(59.6), "1m00s");
  EXPECT_EQ(durationText(3599), "59m59s");
  EXPECT_EQ(durationText(3600), "1h00m");
  EXPECT_EQ(durationText(90061), "25h01m");
  EXPECT_EQ(durationText(-5), "0s");
}

} // namespace
