// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/CpuFeatures.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

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

// The other way round it need not be so: a kernel may leave out what the processor has.
TEST(CpuFeatures, TheProcessorSaysWhatTheSystemLists) {
  std::ifstream file("/proc/cpuinfo");
  std::set<std::string> asked = askedCpuFeatures(), all = cpuFeatures();
  std::set<std::string> listed =
      parseCpuFlags(std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
  EXPECT_TRUE(asked.count("sse2"));
  for (const char *feature :
       {"sse",      "sse2",     "pni",      "ssse3", "cx16",     "sse4_1",   "sse4_2",  "movbe",      "popcnt",
        "xsave",    "fma",      "avx",      "f16c",  "bmi1",     "bmi2",     "avx2",    "avx512f",    "avx512dq",
        "avx512cd", "avx512bw", "avx512vl", "abm",   "amx_bf16", "amx_tile", "lahf_lm", "avx512_bf16"}) {
    EXPECT_GE(asked.count(feature), listed.count(feature)) << feature;
    EXPECT_EQ(all.count(feature), asked.count(feature)) << feature;
  }
  for (const std::string &feature : listed)
    EXPECT_TRUE(all.count(feature)) << feature;
}

} // namespace
} // namespace chimera::runtime
