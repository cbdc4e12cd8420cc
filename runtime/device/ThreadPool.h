// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A fixed set of threads that share the blocks of one launch after another.
#ifndef CHIMERA_RUNTIME_DEVICE_THREADPOOL_H
#define CHIMERA_RUNTIME_DEVICE_THREADPOOL_H

#include "runtime/core/Error.h"
#include "runtime/device/FloatingPoint.h"
#include "runtime/device/Forks.h"
#include "runtime/device/JobStack.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <pthread.h>
#include <vector>

namespace chimera::runtime {

/// Runs the blocks of a job as contiguous ranges on the caller and on `threads - 1` workers. Whoever is free takes the
/// next range, large ones first and small ones at the end (guided self-scheduling: C. Polychronopoulos, D. Kuck, 1987),
/// with one compare-and-swap; nothing is allocated or locked for it.
///
/// Between jobs a worker first spins, so that launches that follow each other closely cost no system call; then it
/// yields, and when that shows that others want its core, or nothing comes for a while, it sleeps.
///
/// Every thread runs jobs on a stack that holds what they need, the caller too (JobStack.h). Workers take no signals
/// but those that a thread causes itself, so that a program's handlers run on its own threads.
///
/// A forked child has the pool but not its workers: there it may only be destroyed.
class ThreadPool {
public:
  /// The work of the blocks begin .. end-1. Must not throw.
  using Job = void (*)(void *context, int64_t begin, int64_t end);

  /// `threads` >= 1, the caller included. `jobStack`: the bytes of stack that a job may use. `subnormals`: what becomes
  /// of them in jobs.
  static Result<std::unique_ptr<ThreadPool>> create(int64_t threads, size_t jobStack,
                                                    Subnormals subnormals = Subnormals::Flush);
  /// With a thread for each CPU that this process may use, at most `mostForProcess`, or with as many as it can start.
  static Result<std::unique_ptr<ThreadPool>> createForProcess(size_t jobStack,
                                                              Subnormals subnormals = Subnormals::Flush);
  static constexpr int64_t mostForProcess = 1024;
  ~ThreadPool();

  /// Runs all blocks and returns when they are done; a single block runs on the caller and disturbs nobody. Caller and
  /// workers have the kernels' floating-point mode meanwhile; the caller's own is restored. One caller at a time, of
  /// the process that made the pool.
  void run(Job job, void *context, int64_t blocks);

  /// Calls function(context) on the caller's stack for jobs and in the kernels' floating-point mode, so that each run()
  /// in it need not change to them. Not nested.
  void enter(void (*function)(void *), void *context);

  int64_t threads() const { return int64_t(workers.size()) + 1; }

  const Subnormals subnormals; ///< What becomes of them in jobs.

private:
  ThreadPool(JobStack stack, Subnormals subnormals) : subnormals(subnormals), callerStack(std::move(stack)) {}
  Failure startWorkers(int64_t threads, size_t jobStack);
  void runHere(Job job, void *context, int64_t blocks);
  void work();
  int64_t takeRange(uint64_t &seen);
  int64_t takeAll(uint64_t &seen);
  bool changed(uint64_t seen) const;
  void awaitJob(uint64_t seen);
  void sleepUntilChanged(uint64_t seen);
  void wakeSleepers();
  void awaitFinished(int64_t units);

  /// What a worker looks for and all that it needs then, in one cache line. The job is written only while no unit of
  /// one is left, so that whoever has taken some reads it safely.
  struct alignas(64) {
    // The job's number in the high half, its units not yet taken in the low one. A late worker cannot take units of a
    // job that it has not seen, as its compare-and-swap fails.
    std::atomic<uint64_t> ticket{0};
    Job job = nullptr;
    void *context = nullptr;
    int64_t blocks = 0;
    int64_t units = 0; ///< Equal parts of the blocks; a range is some of them.
  } current;
  alignas(64) std::atomic<int64_t> finished{0}; ///< Units that workers have done.
  alignas(64) std::atomic<int> sleepers{0};
  std::atomic<uint32_t> wakeups{0}; ///< What sleepers wait for to change.
  std::atomic<bool> stopping{false};
  int64_t spinNanoseconds = 0;
  JobStack callerStack;
  bool entered = false;
  MakerProcess maker;
  std::vector<pthread_t> workers;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_DEVICE_THREADPOOL_H
