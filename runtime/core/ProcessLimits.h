// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What this process may use, which may be less than what the machine has: batch systems, containers and sandboxes set
// limits. Everything here is a fresh look and works without /proc and /sys, whose limits then do not count.
#ifndef CHIMERA_RUNTIME_CORE_PROCESSLIMITS_H
#define CHIMERA_RUNTIME_CORE_PROCESSLIMITS_H

#include <cstdint>
#include <optional>
#include <string>

namespace chimera::runtime {

/// The CPUs on which threads of this process can run at once, at least 1: those that its affinity allows, and no more
/// than its control groups' quota of CPU time pays for, a part of one counted as one. Where the system tells no
/// affinity, the C++ library's guess stands in for it.
int64_t usableCpus();

/// The bytes of memory that this process may come to hold: the least of the machine's memory, the limits of its control
/// groups, and its limits of data and of address space (RLIMIT_DATA, RLIMIT_AS).
int64_t usableMemory();

/// What control groups allow; nothing: no limit was found.
struct GroupLimits {
  std::optional<int64_t> memory; ///< Bytes.
  std::optional<int64_t> cpus;   ///< The quota of CPU time in CPUs, rounded up; at least 1.
};

/// The least limits of this process's control groups and of all their parents, of version 1 and 2 (the Linux kernel's
/// Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst). `root` stands in front of /proc and /sys.
GroupLimits groupLimits(const std::string &root = "");

/// A number of bytes in `text` as a control group's file gives it; nothing for "max" and for what is no number.
std::optional<int64_t> parseGroupNumber(const std::string &text);

/// CPUs that a text like that of cpu.max ("150000 100000": quota and period) allows, rounded up; nothing for "max ...".
std::optional<int64_t> parseCpuQuota(const std::string &text);

/// The path of a process's group for `controller` ("memory", "cpu") in a text like /proc/self/cgroup; that of version 2
/// for "". Empty when there is none.
std::string parseGroupPath(const std::string &text, const std::string &controller);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_PROCESSLIMITS_H
