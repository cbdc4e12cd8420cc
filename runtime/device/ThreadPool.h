// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A fixed set of threads that share the blocks of one launch after another.
#ifndef CHIMERA_RUNTIME_DEVICE_THREADPOOL_H
#define CHIMERA_RUNTIME_DEVICE_THREADPOOL_H

#include "runtime/core/Error.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace chimera::runtime {

/// Runs `blocks` of a job as contiguous ranges on the caller and on `threads - 1` workers. Taking a range costs one
/// compare-and-swap; nothing is allocated or locked for it. Workers spin briefly between jobs, then sleep.
class ThreadPool {
public:
  /// The work of the blocks begin .. end-1. Must not throw.
  using Job = void (*)(void *context, int64_t begin, int64_t end);

  /// `threads` >= 1, the caller included.
  static Result<std::unique_ptr<ThreadPool>> create(int64_t threads);
  ~ThreadPool();

  /// Runs all blocks and returns when they are done. Caller and workers have the kernels' floating-point mode
  /// meanwhile; the caller's own is restored. One caller at a time.
  void run(Job job, void *context, int64_t blocks);

  int64_t threads() const { return int64_t(workers.size()) + 1; }

private:
  ThreadPool() = default;
  void work();
  bool takeRange(uint64_t &seen);
  void sleepUntilChanged(uint64_t seen);

  // The job; written only while no range of it is left, so that whoever has taken a range reads it safely.
  Job job = nullptr;
  void *context = nullptr;
  int64_t blocks = 0;
  int64_t ranges = 0;

  // The job's number in the high half, the ranges not yet taken in the low one. A late worker cannot take a range of a
  // job that it has not seen, as its compare-and-swap fails.
  std::atomic<uint64_t> ticket{0};
  std::atomic<int64_t> finished{0};
  std::atomic<int> sleepers{0};
  std::atomic<bool> stopping{false};
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::thread> workers;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_DEVICE_THREADPOOL_H
