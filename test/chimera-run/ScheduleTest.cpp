// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Schedule.h"

#include <gtest/gtest.h>

using chimera::run::Schedule;

/// The chunks that a sequence of `length` tokens is cut into.
static std::vector<int64_t> cut(const std::string &text, int64_t length) {
  auto schedule = Schedule::parse(text);
  EXPECT_TRUE(schedule) << text;
  std::vector<int64_t> chunks;
  while (schedule && length > 0) {
    chunks.push_back(schedule->chunk(int64_t(chunks.size()), length));
    length -= chunks.back();
  }
  EXPECT_EQ(length, 0);
  return chunks;
}

TEST(Schedule, CutsASequence) {
  using Sizes = std::vector<int64_t>;
  EXPECT_EQ(cut("prefill", 9), (Sizes{9}));
  EXPECT_EQ(cut("decode", 3), (Sizes{1, 1, 1}));
  EXPECT_EQ(cut("chunks:5,7,1", 15), (Sizes{5, 7, 1, 1, 1}));
  EXPECT_EQ(cut("chunks:4", 10), (Sizes{4, 4, 2}));
  EXPECT_EQ(cut("chunks:9223372036854775807", 3), (Sizes{3}));
  EXPECT_EQ(cut("prefill", 0), (Sizes{}));
}

TEST(Schedule, RefusesOtherTexts) {
  for (const char *text : {"", "Prefill", "chunks", "chunks:", "chunks:0", "chunks:-1", "chunks:1,", "chunks:,1",
                           "chunks:1 ", "chunks:1;2", "chunks:9223372036854775808", "chunks:1.5", "decode1"})
    EXPECT_FALSE(Schedule::parse(text)) << text;
}
