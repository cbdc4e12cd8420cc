// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/ThreadPool.h"

#include "runtime/device/FloatingPoint.h"

#include <algorithm>
#include <system_error>

namespace chimera::runtime {

static constexpr uint64_t countMask = 0xFFFFFFFFu;
static constexpr int64_t rangesPerThread = 4;
static constexpr int spins = 2000;

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(int64_t threads) {
  std::unique_ptr<ThreadPool> pool(new ThreadPool);
  try {
    for (int64_t i = 1; i < threads; ++i)
      pool->workers.emplace_back([raw = pool.get()] { raw->work(); });
  } catch (const std::system_error &failure) {
    return systemError("starting " + std::to_string(threads) + " threads", failure.code().value());
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
  }
  wake.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

bool ThreadPool::takeRange(uint64_t &seen) {
  seen = ticket.load(std::memory_order_acquire);
  while (seen & countMask) {
    if (!ticket.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire))
      continue;
    int64_t range = int64_t(seen & countMask) - 1;
    job(context, blocks * range / ranges, blocks * (range + 1) / ranges);
    finished.fetch_add(1, std::memory_order_release);
    return true;
  }
  return false;
}

void ThreadPool::sleepUntilChanged(uint64_t seen) {
  std::unique_lock<std::mutex> lock(mutex);
  sleepers.fetch_add(1);
  wake.wait(lock, [&] { return stopping || ticket.load() != seen; });
  sleepers.fetch_sub(1);
}

void ThreadPool::work() {
  KernelFloatingPoint mode;
  int idle = 0;
  uint64_t seen = 0;
  while (!stopping.load(std::memory_order_relaxed)) {
    if (takeRange(seen)) {
      idle = 0;
    } else if (++idle < spins) {
      _mm_pause();
    } else {
      sleepUntilChanged(seen);
      idle = 0;
    }
  }
}

void ThreadPool::run(Job newJob, void *newContext, int64_t newBlocks) {
  KernelFloatingPoint mode;
  if (newBlocks <= 0)
    return;
  int64_t newRanges = std::min(newBlocks, threads() * rangesPerThread);
  if (workers.empty() || newRanges == 1)
    return newJob(newContext, 0, newBlocks);
  job = newJob;
  context = newContext;
  blocks = newBlocks;
  ranges = newRanges;
  finished.store(0, std::memory_order_relaxed);
  uint64_t number = (ticket.load(std::memory_order_relaxed) >> 32) + 1;
  ticket.store(number << 32 | uint64_t(newRanges)); // Sequentially consistent with `sleepers`, on both sides.
  if (sleepers.load() > 0) {
    // Taking the lock orders this with a worker between its last look and its sleep.
    {
      std::lock_guard<std::mutex> lock(mutex);
    }
    wake.notify_all();
  }
  for (uint64_t seen; takeRange(seen);) {
  }
  while (finished.load(std::memory_order_acquire) != newRanges)
    std::this_thread::yield();
}

} // namespace chimera::runtime
