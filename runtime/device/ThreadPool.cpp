// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/ThreadPool.h"

#include "runtime/core/ProcessLimits.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <csignal>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
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

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(int64_t threads, size_t jobStack, Subnormals subnormals) {
  Result<JobStack> stack = JobStack::create(jobStack);
  if (!stack)
    return stack.error();
  std::unique_ptr<ThreadPool> pool(new ThreadPool(std::move(*stack), subnormals));
  // More threads than CPUs: one that spins would keep another from its work.
  pool->spinNanoseconds = threads <= usableCpus() ? longestSpin : 0;
  if (Failure failure = pool->startWorkers(threads, jobStack))
    return *failure;
  return pool;
}

Result<std::unique_ptr<ThreadPool>> ThreadPool::createForProcess(size_t jobStack, Subnormals subnormals) {
  int64_t threads = std::min(usableCpus(), mostForProcess);
  Result<std::unique_ptr<ThreadPool>> pool = create(threads, jobStack, subnormals);
  while (!pool && threads > 1) // A limit of processes or of address space.
    pool = create(threads /= 2, jobStack, subnormals);
  return pool;
}

/// The signals that workers leave to others: all but those that say what a thread has done itself, which a program's
/// handler of crashes must see, and those of profilers.
static sigset_t foreignSignals() {
  sigset_t set;
  sigfillset(&set);
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
    sigdelset(&set, signal);
  return set;
}

Failure ThreadPool::startWorkers(int64_t threads, size_t jobStack) {
  auto error = [&](int code) { return systemError("starting " + std::to_string(threads) + " threads", code); };
  workers.reserve(size_t(threads - 1));
  pthread_attr_t attributes;
  if (int code = pthread_attr_init(&attributes))
    return error(code);
  // The C library takes thread-local variables out of the same room, so there is never less than it would give.
  size_t usual = 0, room = (jobStack + JobStack::headroom + 4095) / 4096 * 4096;
  pthread_attr_getstacksize(&attributes, &usual);
  int code = pthread_attr_setstacksize(&attributes, std::max(room, usual));
  sigset_t foreign = foreignSignals(), before;
  pthread_sigmask(SIG_BLOCK, &foreign, &before);
  auto enter = [](void *pool) -> void * {
    static_cast<ThreadPool *>(pool)->work();
    return nullptr;
  };
  for (int64_t i = 1; i < threads && !code; ++i) {
    pthread_t worker;
    code = pthread_create(&worker, &attributes, enter, this);
    if (!code)
      workers.push_back(worker);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return code ? Failure(error(code)) : std::nullopt;
}

ThreadPool::~ThreadPool() {
  if (!maker.isThis()) // The workers are the parent's; of theirs there is nothing here, not even a stack.
    return;
  stopping = true;
  wakeSleepers();
  for (pthread_t worker : workers)
    pthread_join(worker, nullptr);
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
    sched_yield();
    int64_t after = nanoseconds();
    if (after - now > foreignYield)
      break;
    now = after;
  }
  sleepUntilChanged(seen);
}

void ThreadPool::work() {
  KernelFloatingPoint mode(subnormals);
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
    sched_yield();
}

void ThreadPool::enter(void (*function)(void *), void *context) {
  KernelFloatingPoint mode(subnormals);
  struct Entered { // Also when the function throws.
    bool &flag;
    explicit Entered(bool &flag) : flag(flag) { flag = true; }
    ~Entered() { flag = false; }
  } here(entered);
  callerStack.call(function, context);
}

void ThreadPool::run(Job job, void *context, int64_t blocks) {
  if (blocks <= 0)
    return;
  if (entered)
    return runHere(job, context, blocks);
  auto body = [=] { runHere(job, context, blocks); };
  enter([](void *raw) { (*static_cast<decltype(body) *>(raw))(); }, &body);
}

/// The caller's part of a job, once it has entered.
void ThreadPool::runHere(Job job, void *context, int64_t blocks) {
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
