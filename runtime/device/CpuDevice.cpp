// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/CpuDevice.h"

#include "runtime/core/ProcessLimits.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>

namespace chimera::runtime {

/// Regions grow by this much at least, so that a growing cache asks the system rarely.
static constexpr size_t growth = size_t(1) << 20;
static constexpr size_t pageSize = 4096;
static constexpr size_t hugePage = size_t(2) << 20;

Result<std::unique_ptr<CpuDevice>> CpuDevice::create(int64_t threads, int64_t kernelStack, Subnormals subnormals) {
  Result<std::unique_ptr<ThreadPool>> pool = ThreadPool::create(threads, size_t(kernelStack), subnormals);
  if (!pool)
    return pool.error();
  return std::unique_ptr<CpuDevice>(new CpuDevice(std::move(*pool)));
}

Result<std::unique_ptr<CpuDevice>> CpuDevice::createForProcess(int64_t kernelStack, Subnormals subnormals) {
  Result<std::unique_ptr<ThreadPool>> pool = ThreadPool::createForProcess(size_t(kernelStack), subnormals);
  if (!pool)
    return pool.error();
  return std::unique_ptr<CpuDevice>(new CpuDevice(std::move(*pool)));
}

Result<Region> CpuDevice::reserve(size_t bytes, const char *what, bool large) {
  Region region;
  if (bytes == 0)
    return region;
  large &= bytes >= hugePage;
  region.page = large ? hugePage : pageSize;
  region.reserved = roundUp(bytes, region.page);
  size_t mapped = large ? region.reserved + hugePage : region.reserved;
  void *got = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED)
    return systemError("reserving " + std::to_string(bytes) + " bytes of addresses for " + what, errno);
  region.base = static_cast<uint8_t *>(got);
  if (!large)
    return region;
  // What is mapped too much, before and after, goes back.
  size_t before = roundUp(reinterpret_cast<uintptr_t>(got), hugePage) - reinterpret_cast<uintptr_t>(got);
  region.base += before;
  if (before)
    munmap(got, before);
  if (before < hugePage)
    munmap(region.base + region.reserved, hugePage - before);
  madvise(region.base, region.reserved, MADV_HUGEPAGE); // Only faster; it may be refused.
  return region;
}

Failure CpuDevice::commit(Region &region, size_t bytes) {
  if (bytes <= region.committed)
    return std::nullopt;
  size_t target = std::min(region.reserved, roundUp(std::max(bytes, region.committed + growth), region.page));
  if (mprotect(region.base + region.committed, target - region.committed, PROT_READ | PROT_WRITE) != 0)
    return systemError("getting " + std::to_string(target - region.committed) + " bytes of memory", errno);
  region.committed = target;
  return std::nullopt;
}

void CpuDevice::release(Region &region) {
  if (region.base)
    munmap(region.base, region.reserved);
  region = Region();
}

void CpuDevice::fill(void *to, int byte, size_t bytes) {
  if (bytes)
    std::memset(to, byte, bytes);
}

void CpuDevice::copy(void *to, const void *from, size_t bytes) {
  if (bytes)
    std::memcpy(to, from, bytes);
}

int64_t CpuDevice::usableMemory() const {
  return runtime::usableMemory();
}

void CpuDevice::launch(const BoundLaunch &launch) {
  pool->run(
      [](void *context, int64_t begin, int64_t end) {
        const BoundLaunch &bound = *static_cast<const BoundLaunch *>(context);
        bound.kernel(bound.buffers, bound.args, begin, end);
      },
      const_cast<BoundLaunch *>(&launch), launch.blocks);
}

} // namespace chimera::runtime
