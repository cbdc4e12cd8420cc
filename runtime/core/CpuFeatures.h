// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_CORE_CPUFEATURES_H
#define CHIMERA_RUNTIME_CORE_CPUFEATURES_H

#include <set>
#include <string>
#include <vector>

namespace chimera::runtime {

/// The flags of the first CPU in a text like /proc/cpuinfo.
std::set<std::string> parseCpuFlags(const std::string &cpuinfo);

/// The features of this machine, by the names of /proc/cpuinfo: what that file lists, and what the processor itself
/// says (askedCpuFeatures). A sandbox may have no such file, and a kernel may leave a feature out that programs can
/// use.
std::set<std::string> cpuFeatures();

/// What the processor itself says (CPUID, XGETBV) of the features that a model binary may need, by the names of
/// /proc/cpuinfo: those that it has and whose registers the system saves.
std::set<std::string> askedCpuFeatures();

/// Asks the system to let this process use AMX tiles (x86's dynamically enabled XTILEDATA state, with arch_prctl).
/// False when it refuses or does not know them.
bool permitAmxTiles();

/// Those of `features` that this machine lacks, in their order.
std::vector<std::string> missingCpuFeatures(const std::vector<std::string> &features);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_CPUFEATURES_H
