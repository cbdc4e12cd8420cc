// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/ThreadPool.h"

#include "runtime/device/FloatingPoint.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace chimera::runtime {

static constexpr uint64_t countMask = 0xFFFFFFFFu;
/// The smallest range is this part of a thread's share.
static constexpr int64_t unitsPerThread = 16;
/// How long a worker spins for the next job: longer than a program needs between two steps of a decode.
static constexpr int64_t longestSpin = 50'000;
/// How long it yields after that.
static constexpr int64_t longestYield = 1'000'000;
/// A yield that takes this long ran somebody else.
static constexpr int64_t foreignYield = 20'000;
/// Pauses between two looks at the clock.
static constexpr int pausesPerLook = 32;

static int64_t nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// The CPUs that this process may use.
static int64_t usableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return CPU_COUNT(&set);
  return std::max(1u, std::thread::hardware_concurrency());
}

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(int64_t threads) {
  std::unique_ptr<ThreadPool> pool(new ThreadPool);
  // More threads than CPUs: one that spins would keep another from its work.
  pool->spinNanoseconds = threads <= usableCpus() ? longestSpin : 0;
  try {
    pool->workers.reserve(size_t(threads - 1));
    for (int64_t i = 1; i < threads; ++i)
      pool->workers.emplace_back([raw = pool.get()] { raw->work(); });
  } catch (const std::system_error &failure) {
    return systemError("starting " + std::to_string(threads) + " threads", failure.code().value());
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  stopping = true;
  wakeSleepers();
  for (std::thread &worker : workers)
    worker.join();
}

/// Takes and does a range; its units, 0 when none is left.
int64_t ThreadPool::takeRange(uint64_t &seen) {
  seen = current.ticket.load(std::memory_order_acquire);
  while (int64_t left = int64_t(seen & countMask)) {
    int64_t take = std::max<int64_t>(2 * left / (3 * threads()), 1);
    if (!current.ticket.compare_exchange_weak(seen, seen - uint64_t(take), std::memory_order_acq_rel,
                                              std::memory_order_acquire))
      continue;
    int64_t first = current.units - left;
    current.job(current.context, current.blocks * first / current.units,
                current.blocks * (first + take) / current.units);
    return take;
  }
  return 0;
}

int64_t ThreadPool::takeAll(uint64_t &seen) {
  int64_t units = 0;
  while (int64_t took = takeRange(seen))
    units += took;
  return units;
}

bool ThreadPool::changed(uint64_t seen) const {
  return current.ticket.load(std::memory_order_relaxed) != seen || stopping.load(std::memory_order_relaxed);
}

void ThreadPool::wakeSleepers() {
  wakeups.fetch_add(1);
  syscall(SYS_futex, &wakeups, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

void ThreadPool::sleepUntilChanged(uint64_t seen) {
  // Sequentially consistent on both sides: either this sees the new ticket, or its giver sees this sleeper.
  sleepers.fetch_add(1);
  for (;;) {
    uint32_t before = wakeups.load();
    if (stopping.load() || current.ticket.load() != seen)
      break;
    syscall(SYS_futex, &wakeups, FUTEX_WAIT_PRIVATE, before, nullptr, nullptr, 0);
  }
  sleepers.fetch_sub(1);
}

/// Spins until `done()`, at most `longest` nanoseconds; whether it is. A short wait reads no clock.
template <typename Done> static bool spinUntil(Done done, int64_t longest) {
  for (int64_t begin = 0;;) {
    for (int i = 0; i < pausesPerLook; ++i, _mm_pause())
      if (done())
        return true;
    int64_t now = longest ? nanoseconds() : 0;
    begin = begin ? begin : now;
    if (now - begin >= longest)
      return false;
  }
}

void ThreadPool::awaitJob(uint64_t seen) {
  if (spinUntil([&] { return changed(seen); }, spinNanoseconds))
    return;
  int64_t now = nanoseconds(), end = now + longestYield;
  while (now < end) {
    if (changed(seen))
      return;
    std::this_thread::yield();
    int64_t after = nanoseconds();
    if (after - now > foreignYield)
      break;
    now = after;
  }
  sleepUntilChanged(seen);
}

void ThreadPool::work() {
  KernelFloatingPoint mode;
  uint64_t seen = 0;
  while (!stopping.load(std::memory_order_relaxed)) {
    if (int64_t units = takeAll(seen))
      finished.fetch_add(units, std::memory_order_release);
    awaitJob(seen);
  }
}

/// The caller has nothing left to take: the others are at their last ranges.
void ThreadPool::awaitFinished(int64_t units) {
  auto done = [&] { return finished.load(std::memory_order_acquire) == units; };
  if (spinUntil(done, spinNanoseconds))
    return;
  while (!done())
    std::this_thread::yield();
}

void ThreadPool::run(Job job, void *context, int64_t blocks) {
  KernelFloatingPoint mode;
  if (blocks <= 0)
    return;
  if (workers.empty() || blocks == 1)
    return job(context, 0, blocks);
  int64_t units = std::min(blocks, threads() * unitsPerThread);
  current.job = job;
  current.context = context;
  current.blocks = blocks;
  current.units = units;
  finished.store(0, std::memory_order_relaxed);
  uint64_t number = (current.ticket.load(std::memory_order_relaxed) >> 32) + 1;
  current.ticket.store(number << 32 | uint64_t(units)); // Sequentially consistent: see sleepUntilChanged.
  if (sleepers.load() > 0)
    wakeSleepers();
  uint64_t seen;
  int64_t mine = takeAll(seen);
  if (mine != units)
    awaitFinished(units - mine);
}

} // namespace chimera::runtime
