// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/CpuFeatures.h"

#include <cpuid.h>
#include <fstream>
#include <sstream>
#include <sys/syscall.h>
#include <unistd.h>

namespace chimera::runtime {

std::set<std::string> parseCpuFlags(const std::string &cpuinfo) {
  std::istringstream lines(cpuinfo);
  for (std::string line; std::getline(lines, line);) {
    size_t colon = line.find(':');
    if (colon == std::string::npos || line.compare(0, 5, "flags") != 0)
      continue;
    std::istringstream words(line.substr(colon + 1));
    std::set<std::string> flags;
    for (std::string word; words >> word;)
      flags.insert(word);
    return flags;
  }
  return {};
}

std::set<std::string> cpuFeatures() {
  std::ifstream file("/proc/cpuinfo");
  std::ostringstream text;
  text << file.rdbuf();
  std::set<std::string> features = parseCpuFlags(text.str());
  features.merge(askedCpuFeatures());
  return features;
}

namespace {

/// What must be in XCR0 for the registers of an extension to be saved: Intel's Software Developer's Manual, volume 1,
/// chapter 13.
enum SavedState : uint64_t { None = 0, Avx = 0x6, Avx512 = 0xE6, Amx = 0x60000 };

/// Where CPUID says that there is a feature: ibid., volume 2, "CPUID".
struct FeatureBit {
  const char *name;
  unsigned leaf, subleaf;
  int word; ///< 0 .. 3: eax .. edx.
  int bit;
  SavedState state;
};

constexpr FeatureBit featureBits[] = {
    {"sse", 1, 0, 3, 25, None},
    {"sse2", 1, 0, 3, 26, None},
    {"pni", 1, 0, 2, 0, None},
    {"ssse3", 1, 0, 2, 9, None},
    {"cx16", 1, 0, 2, 13, None},
    {"sse4_1", 1, 0, 2, 19, None},
    {"sse4_2", 1, 0, 2, 20, None},
    {"movbe", 1, 0, 2, 22, None},
    {"popcnt", 1, 0, 2, 23, None},
    {"xsave", 1, 0, 2, 26, None},
    {"fma", 1, 0, 2, 12, Avx},
    {"avx", 1, 0, 2, 28, Avx},
    {"f16c", 1, 0, 2, 29, Avx},
    {"bmi1", 7, 0, 1, 3, None},
    {"bmi2", 7, 0, 1, 8, None},
    {"avx2", 7, 0, 1, 5, Avx},
    {"avx512f", 7, 0, 1, 16, Avx512},
    {"avx512dq", 7, 0, 1, 17, Avx512},
    {"avx512cd", 7, 0, 1, 28, Avx512},
    {"avx512bw", 7, 0, 1, 30, Avx512},
    {"avx512vl", 7, 0, 1, 31, Avx512},
    {"amx_bf16", 7, 0, 3, 22, Amx},
    {"amx_tile", 7, 0, 3, 24, Amx},
    {"avx512_bf16", 7, 1, 0, 5, Avx512},
    {"lahf_lm", 0x80000001, 0, 2, 0, None},
    {"abm", 0x80000001, 0, 2, 5, None},
};

/// The states that the system saves; 0 when there is no XGETBV to ask with.
uint64_t savedStates() {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 27)))
    return 0;
  asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  return uint64_t(d) << 32 | a;
}

} // namespace

std::set<std::string> askedCpuFeatures() {
  std::set<std::string> features;
  const uint64_t saved = savedStates();
  for (const FeatureBit &feature : featureBits) {
    unsigned words[4];
    if (__get_cpuid_count(feature.leaf, feature.subleaf, &words[0], &words[1], &words[2], &words[3]) &&
        (words[feature.word] >> feature.bit & 1) && (saved & feature.state) == feature.state)
      features.insert(feature.name);
  }
  return features;
}

bool permitAmxTiles() {
  // From the kernel's arch/x86/include/uapi/asm/prctl.h and its list of extended states.
  constexpr long requestPermission = 0x1023, tileData = 18;
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
}

std::vector<std::string> missingCpuFeatures(const std::vector<std::string> &features) {
  std::set<std::string> flags = cpuFeatures();
  std::vector<std::string> missing;
  for (const std::string &feature : features)
    if (!flags.count(feature))
      missing.push_back(feature);
  return missing;
}

} // namespace chimera::runtime
