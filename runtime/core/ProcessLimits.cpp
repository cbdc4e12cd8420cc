// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/ProcessLimits.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <functional>
#include <sched.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace chimera::runtime {

/// Where nothing is known: more than any model needs of addresses, and no promise of memory.
static constexpr int64_t unknownMemory = int64_t(1) << 36;
/// Sets of CPUs are asked for in growing sizes up to this many.
static constexpr size_t mostCpus = size_t(1) << 16;

template <typename T> static void lower(std::optional<T> &limit, std::optional<T> other) {
  if (other && (!limit || *other < *limit))
    limit = other;
}

/// The number at the start of `text`, without a sign; nothing when there is none or it does not fit.
static std::optional<int64_t> leadingNumber(const std::string &text) {
  int64_t value = 0;
  auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || value < 0)
    return std::nullopt;
  return value;
}

std::optional<int64_t> parseGroupNumber(const std::string &text) {
  return leadingNumber(text);
}

/// quota / period, rounded up, at least 1.
static std::optional<int64_t> cpusOf(std::optional<int64_t> quota, std::optional<int64_t> period) {
  if (!quota || !period || *period == 0 || *quota > INT64_MAX - *period)
    return std::nullopt;
  return std::max<int64_t>((*quota + *period - 1) / *period, 1);
}

std::optional<int64_t> parseCpuQuota(const std::string &text) {
  size_t space = text.find(' ');
  if (space == std::string::npos)
    return std::nullopt;
  return cpusOf(leadingNumber(text), leadingNumber(text.substr(space + 1)));
}

/// Whether `name` is one of the names in a list with commas; the empty list has the empty name.
static bool isListed(const std::string &list, const std::string &name) {
  for (size_t begin = 0; begin <= list.size();) {
    size_t end = std::min(list.find(',', begin), list.size());
    if (list.compare(begin, end - begin, name) == 0)
      return true;
    begin = end + 1;
  }
  return false;
}

// A line is "number:controllers:/path"; version 2 has no controllers there.
std::string parseGroupPath(const std::string &text, const std::string &controller) {
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    size_t first = line.find(':'), second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second != std::string::npos && isListed(line.substr(first + 1, second - first - 1), controller))
      return line.substr(second + 1);
  }
  return {};
}

static std::string contentOf(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

/// Visits the folder of a group and those of its parents, up to where groups are mounted. A container may see its own
/// group there and know it by the host's path, of which nothing exists.
static void eachFolder(const std::string &mount, std::string path,
                       const std::function<void(const std::string &)> &visit) {
  while (path.size() > 1) {
    visit(mount + path);
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
  visit(mount);
}

GroupLimits groupLimits(const std::string &root) {
  GroupLimits limits;
  const std::string groups = contentOf(root + "/proc/self/cgroup"), mount = root + "/sys/fs/cgroup";
  eachFolder(mount, parseGroupPath(groups, ""), [&](const std::string &folder) {
    lower(limits.memory, parseGroupNumber(contentOf(folder + "/memory.max")));
    lower(limits.cpus, parseCpuQuota(contentOf(folder + "/cpu.max")));
  });
  eachFolder(mount + "/memory", parseGroupPath(groups, "memory"), [&](const std::string &folder) {
    lower(limits.memory, parseGroupNumber(contentOf(folder + "/memory.limit_in_bytes")));
  });
  for (const char *name : {"/cpu", "/cpu,cpuacct"})
    eachFolder(mount + name, parseGroupPath(groups, "cpu"), [&](const std::string &folder) {
      lower(limits.cpus, cpusOf(leadingNumber(contentOf(folder + "/cpu.cfs_quota_us")),
                                leadingNumber(contentOf(folder + "/cpu.cfs_period_us"))));
    });
  return limits;
}

/// The CPUs of this process's affinity; 0 when the system does not tell.
static int64_t allowedCpus() {
  for (size_t count = CPU_SETSIZE; count <= mostCpus; count *= 4) {
    cpu_set_t *set = CPU_ALLOC(count);
    if (!set)
      return 0;
    size_t bytes = CPU_ALLOC_SIZE(count);
    CPU_ZERO_S(bytes, set);
    int failed = sched_getaffinity(0, bytes, set), code = errno;
    int64_t cpus = failed ? 0 : CPU_COUNT_S(bytes, set);
    CPU_FREE(set);
    if (!failed || code != EINVAL) // EINVAL: the machine has more CPUs than the set.
      return cpus;
  }
  return 0;
}

int64_t usableCpus() {
  int64_t cpus = allowedCpus();
  if (cpus <= 0)
    cpus = std::max(1u, std::thread::hardware_concurrency());
  return std::min(cpus, groupLimits().cpus.value_or(cpus));
}

static std::optional<int64_t> processLimit(decltype(RLIMIT_AS) resource) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > uint64_t(INT64_MAX))
    return std::nullopt;
  return int64_t(limit.rlim_cur);
}

int64_t usableMemory() {
  long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  std::optional<int64_t> memory = pages > 0 && size > 0 ? int64_t(pages) * size : unknownMemory;
  lower(memory, groupLimits().memory);
  lower(memory, processLimit(RLIMIT_AS));
  lower(memory, processLimit(RLIMIT_DATA));
  return *memory;
}

} // namespace chimera::runtime
