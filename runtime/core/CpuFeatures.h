// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_CORE_CPUFEATURES_H
#define CHIMERA_RUNTIME_CORE_CPUFEATURES_H

#include <set>
#include <string>
#include <vector>

namespace chimera::runtime {

/// The flags of the first CPU in a text like /proc/cpuinfo.
std::set<std::string> parseCpuFlags(const std::string &cpuinfo);

/// The flags that this machine's /proc/cpuinfo lists.
std::set<std::string> cpuFeatures();

/// Asks the system to let this process use AMX tiles (x86's dynamically enabled XTILEDATA state, with arch_prctl).
/// False when it refuses or does not know them.
bool permitAmxTiles();

/// Those of `features` that this machine's /proc/cpuinfo does not list, in their order.
std::vector<std::string> missingCpuFeatures(const std::vector<std::string> &features);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_CPUFEATURES_H
