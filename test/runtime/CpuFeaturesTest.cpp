// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/CpuFeatures.h"

#include <gtest/gtest.h>

namespace chimera::runtime {
namespace {

TEST(CpuFeatures, FlagsOfTheFirstCpuAreRead) {
  std::set<std::string> flags = parseCpuFlags("processor\t: 0\nflags\t\t: fpu sse2 avx2\nbugs\t\t: none\n\n"
                                              "processor\t: 1\nflags\t\t: other\n");
  EXPECT_EQ(flags, (std::set<std::string>{"fpu", "sse2", "avx2"}));
  EXPECT_TRUE(parseCpuFlags("").empty());
  EXPECT_TRUE(parseCpuFlags("flags\nflag").empty());
}

TEST(CpuFeatures, OnlyThoseThatTheMachineLacksAreMissing) {
  std::vector<std::string> wanted = {"no_such_feature", "sse2", "neither_this"};
  EXPECT_EQ(missingCpuFeatures(wanted), (std::vector<std::string>{"no_such_feature", "neither_this"}));
}

} // namespace
} // namespace chimera::runtime
