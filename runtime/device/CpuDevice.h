// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_DEVICE_CPUDEVICE_H
#define CHIMERA_RUNTIME_DEVICE_CPUDEVICE_H

#include "runtime/device/Device.h"
#include "runtime/device/ThreadPool.h"

namespace chimera::runtime {

/// The CPU: regions are anonymous mappings, a block of a launch is a task of the thread pool. It also runs what the
/// simulator's target makes of GPU kernels, whose blocks are thread blocks; there subnormals are kept, as a GPU does.
class CpuDevice final : public Device {
public:
  /// `threads` >= 1, the caller included. `kernelStack`: the bytes of stack that kernels need, Variant::stackBytes of
  /// those that will run here. `subnormals`: what they expect.
  static Result<std::unique_ptr<CpuDevice>> create(int64_t threads, int64_t kernelStack = 0,
                                                   Subnormals subnormals = Subnormals::Flush);
  /// With the threads of ThreadPool::createForProcess.
  static Result<std::unique_ptr<CpuDevice>> createForProcess(int64_t kernelStack,
                                                             Subnormals subnormals = Subnormals::Flush);
  static constexpr int64_t mostThreads = ThreadPool::mostForProcess;

  int64_t threads() const { return pool->threads(); }

  Result<Region> reserve(size_t bytes, const char *what, bool large) override;
  Failure commit(Region &region, size_t bytes) override;
  void release(Region &region) override;
  void fill(void *to, int byte, size_t bytes) override;
  void copy(void *to, const void *from, size_t bytes) override;
  void upload(void *to, const void *fromHost, size_t bytes) override { copy(to, fromHost, bytes); }
  void download(void *toHost, const void *from, size_t bytes) override { copy(toHost, from, bytes); }
  Result<void *> constant(const void *host, size_t bytes) override { return const_cast<void *>(host); }
  void *addressOf(const void *host) override { return const_cast<void *>(host); }
  const void *hostView(const void *address) const override { return address; }
  Subnormals subnormals() const override { return pool->subnormals; }
  void launch(const BoundLaunch &launch) override;
  int64_t usableMemory() const override;
  void together(void (*function)(void *), void *context) override { pool->enter(function, context); }

private:
  explicit CpuDevice(std::unique_ptr<ThreadPool> pool) : pool(std::move(pool)) {}

  std::unique_ptr<ThreadPool> pool;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_DEVICE_CPUDEVICE_H
