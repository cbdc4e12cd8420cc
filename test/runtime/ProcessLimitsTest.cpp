// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a process may use: the files of control groups as texts, and as trees of files.
#include "runtime/core/ProcessLimits.h"
#include "runtime/core/Executable.h"
#include "runtime/device/CpuDevice.h"
#include "test/runtime/ToyModel.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace chimera::runtime {
namespace {

/// Files in place of the system's.
class Root {
public:
  void write(const std::string &path, const std::string &content) {
    std::filesystem::path file = folder.path() + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << content;
  }
  GroupLimits limits() const { return groupLimits(folder.path()); }

private:
  toy::TemporaryFolder folder;
};

TEST(ProcessLimits, NumbersOfControlGroups) {
  EXPECT_EQ(parseGroupNumber("1048576\n"), 1048576);
  EXPECT_EQ(parseGroupNumber("0"), 0);
  for (const char *none : {"max\n", "", "-1\n", "x1", "99999999999999999999\n"})
    EXPECT_EQ(parseGroupNumber(none), std::nullopt) << none;
  EXPECT_EQ(parseCpuQuota("200000 100000\n"), 2);
  EXPECT_EQ(parseCpuQuota("150000 100000\n"), 2);
  EXPECT_EQ(parseCpuQuota("1000 100000\n"), 1);
  for (const char *none : {"max 100000\n", "", "100000", "100000 0\n", "100000 x\n", "9223372036854775807 100000\n"})
    EXPECT_EQ(parseCpuQuota(none), std::nullopt) << none;
}

TEST(ProcessLimits, PathsOfControlGroups) {
  const char *text = "12:cpu,cpuacct:/a\n4:memory:/docker/b:c\n3:cpuset:/d\n0::/user.slice/e\n";
  EXPECT_EQ(parseGroupPath(text, ""), "/user.slice/e");
  EXPECT_EQ(parseGroupPath(text, "memory"), "/docker/b:c");
  EXPECT_EQ(parseGroupPath(text, "cpu"), "/a");
  EXPECT_EQ(parseGroupPath(text, "cpuacct"), "/a");
  EXPECT_EQ(parseGroupPath(text, "set"), "");
  EXPECT_EQ(parseGroupPath("", "memory"), "");
  EXPECT_EQ(parseGroupPath("::\n:\nx\n", ""), "");
}

TEST(ProcessLimits, WithoutFilesThereAreNoGroupLimits) {
  Root root;
  EXPECT_EQ(root.limits().memory, std::nullopt);
  EXPECT_EQ(root.limits().cpus, std::nullopt);
}

TEST(ProcessLimits, TheLeastOfAGroupAndItsParentsCounts) {
  Root root;
  root.write("/proc/self/cgroup", "0::/slice/job/task\n");
  root.write("/sys/fs/cgroup/slice/memory.max", "5000000\n");
  root.write("/sys/fs/cgroup/slice/job/memory.max", "3000000\n");
  root.write("/sys/fs/cgroup/slice/job/task/memory.max", "max\n");
  root.write("/sys/fs/cgroup/slice/cpu.max", "250000 100000\n");
  root.write("/sys/fs/cgroup/slice/job/task/cpu.max", "800000 100000\n");
  EXPECT_EQ(root.limits().memory, 3000000);
  EXPECT_EQ(root.limits().cpus, 3);
}

TEST(ProcessLimits, AContainerSeesItsGroupWhereGroupsAreMounted) {
  Root root;
  root.write("/proc/self/cgroup", "0::/of/the/host\n");
  root.write("/sys/fs/cgroup/memory.max", "7000000\n");
  root.write("/sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(root.limits().memory, 7000000);
  EXPECT_EQ(root.limits().cpus, 1);
  Root hidden; // The same where even /proc is missing.
  hidden.write("/sys/fs/cgroup/memory.max", "7000000\n");
  EXPECT_EQ(hidden.limits().memory, 7000000);
}

TEST(ProcessLimits, GroupsOfVersionOne) {
  Root root;
  root.write("/proc/self/cgroup", "5:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n");
  root.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  root.write("/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "4000000\n");
  root.write("/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "350000\n");
  root.write("/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
  root.write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  root.write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(root.limits().memory, 4000000);
  EXPECT_EQ(root.limits().cpus, 4);
}

/// What `ask` gives in a child that `change` has changed.
template <typename Change, typename Ask> int64_t inChild(Change change, Ask ask) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    change();
    int64_t value = ask();
    _exit(write(ends[1], &value, sizeof value) == ssize_t(sizeof value) ? 0 : 1);
  }
  close(ends[1]);
  int64_t value = -1;
  EXPECT_EQ(read(ends[0], &value, sizeof value), ssize_t(sizeof value));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  return value;
}

TEST(ProcessLimits, TheAffinityAndTheLimitsOfAProcessCount) {
  EXPECT_GE(usableCpus(), 1);
  auto oneCpu = [] {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    for (int cpu = 0, kept = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set) && kept++)
        CPU_CLR(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
  };
  EXPECT_EQ(inChild(oneCpu, usableCpus), 1);
  long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  EXPECT_GT(usableMemory(), 0);
  EXPECT_LE(usableMemory(), int64_t(pages) * size);
  for (auto resource : {RLIMIT_DATA, RLIMIT_AS}) {
    auto limited = [&] {
      struct rlimit limit = {rlim_t(100) << 20, RLIM_INFINITY};
      getrlimit(resource, &limit);
      limit.rlim_cur = rlim_t(100) << 20;
      setrlimit(resource, &limit);
    };
    EXPECT_LE(inChild(limited, usableMemory), int64_t(100) << 20);
  }
}

TEST(ProcessLimits, ThreadsThatNobodyAskedForAreThoseThatCanBeStarted) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
  GTEST_SKIP() << "a sanitizer needs all addresses";
#endif
#endif
  // Room for the caller's stack, and for no worker's.
  constexpr int64_t stack = int64_t(1) << 30;
  auto limited = [] {
    struct rlimit limit = {rlim_t(7) << 28, RLIM_INFINITY};
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = rlim_t(7) << 28;
    setrlimit(RLIMIT_AS, &limit);
  };
  auto byDefault = [] {
    Result<std::unique_ptr<CpuDevice>> device = CpuDevice::createForProcess(stack);
    return device ? (*device)->threads() : -1;
  };
  auto asked = [] {
    Result<std::unique_ptr<CpuDevice>> device = CpuDevice::create(2, stack);
    return device ? (*device)->threads() : -1;
  };
  EXPECT_EQ(inChild(limited, byDefault), 1);
  EXPECT_EQ(inChild(limited, asked), -1);
  EXPECT_EQ(inChild([] {}, asked), 2);
  EXPECT_EQ(inChild([] {}, byDefault), usableCpus());
}

TEST(Executable, TheFolderHoldsThisProgram) {
  std::string folder = executableFolder();
  ASSERT_FALSE(folder.empty());
  EXPECT_EQ(folder.back(), '/');
  EXPECT_TRUE(std::filesystem::exists(folder + "RuntimeTest")) << folder;
}

} // namespace
} // namespace chimera::runtime
