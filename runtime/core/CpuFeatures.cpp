// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/CpuFeatures.h"

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
  return parseCpuFlags(text.str());
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
