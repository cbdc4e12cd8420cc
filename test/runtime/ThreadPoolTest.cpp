// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/ThreadPool.h"
#include "runtime/device/FloatingPoint.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <new>
#include <set>
#include <thread>
#include <vector>

namespace chimera::runtime {
namespace {

std::unique_ptr<ThreadPool> makePool(int64_t threads, size_t jobStack = 0) {
  Result<std::unique_ptr<ThreadPool>> pool = ThreadPool::create(threads, jobStack);
  EXPECT_TRUE(bool(pool));
  return std::move(*pool);
}

TEST(ThreadPool, RunsEveryBlockOnceWhateverTheNumberOfThreadsAndBlocks) {
  for (int64_t threads : {1, 2, 3, 8}) {
    std::unique_ptr<ThreadPool> pool = makePool(threads);
    ASSERT_EQ(pool->threads(), threads);
    for (int64_t blocks : {0, 1, 2, 3, 5, 17, 1000}) {
      std::vector<std::atomic<int>> counts(size_t(blocks) + 1);
      pool->run(
          [](void *context, int64_t begin, int64_t end) {
            for (int64_t b = begin; b < end; ++b)
              ++(*static_cast<std::vector<std::atomic<int>> *>(context))[size_t(b)];
          },
          &counts, blocks);
      for (int64_t b = 0; b < blocks; ++b)
        EXPECT_EQ(counts[size_t(b)], 1) << threads << " threads, block " << b;
      EXPECT_EQ(counts[size_t(blocks)], 0);
    }
  }
}

struct Ranges {
  std::atomic<int64_t> count{0}, longest{0};
};

TEST(ThreadPool, RangesAreManyEnoughToShareAndFewEnoughToBeWorthTaking) {
  std::unique_ptr<ThreadPool> pool = makePool(2);
  for (int64_t blocks : {100, 10000}) {
    Ranges ranges;
    pool->run(
        [](void *context, int64_t begin, int64_t end) {
          Ranges &ranges = *static_cast<Ranges *>(context);
          ++ranges.count;
          for (int64_t seen = ranges.longest; seen < end - begin;)
            if (ranges.longest.compare_exchange_weak(seen, end - begin))
              break;
        },
        &ranges, blocks);
    EXPECT_LE(ranges.longest, blocks / 2) << blocks;
    EXPECT_LE(ranges.count, 32) << blocks;
  }
}

TEST(ThreadPool, ASingleBlockRunsOnTheCaller) {
  std::unique_ptr<ThreadPool> pool = makePool(3);
  std::thread::id where;
  for (int i = 0; i < 100; ++i) {
    where = {};
    pool->run(
        [](void *context, int64_t, int64_t) { *static_cast<std::thread::id *>(context) = std::this_thread::get_id(); },
        &where, 1);
    ASSERT_EQ(where, std::this_thread::get_id());
  }
}

TEST(ThreadPool, ManyShortJobsInARowAllFinishBeforeRunReturns) {
  std::unique_ptr<ThreadPool> pool = makePool(3);
  struct Context {
    int64_t job = 0;
    std::atomic<int64_t> wrong{0}, done{0};
  } context;
  for (context.job = 0; context.job < 20000; ++context.job) {
    context.done = 0;
    pool->run([](void *raw, int64_t begin, int64_t end) { static_cast<Context *>(raw)->done += end - begin; }, &context,
              12);
    context.wrong += context.done != 12;
  }
  EXPECT_EQ(context.wrong, 0);
}

TEST(ThreadPool, SleepingWorkersWakeForTheNextJob) {
  std::unique_ptr<ThreadPool> pool = makePool(2);
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    // Both threads have to be in the job at once for it to end.
    std::atomic<int> inside{0};
    pool->run(
        [](void *context, int64_t, int64_t) {
          auto &inside = *static_cast<std::atomic<int> *>(context);
          ++inside;
          auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
          while (inside < 2 && std::chrono::steady_clock::now() < limit)
            std::this_thread::yield();
        },
        &inside, 2);
    EXPECT_EQ(inside, 2);
  }
}

struct Modes {
  std::atomic<int> wrong{0}, seen{0};
};

void checkMode(void *context, int64_t begin, int64_t end) {
  Modes &modes = *static_cast<Modes *>(context);
  // The six low bits are sticky flags.
  modes.wrong += (_mm_getcsr() & ~0x3Fu) != KernelFloatingPoint::mode;
  volatile float tiny = 1e-30f, flushed = tiny * tiny;
  modes.wrong += flushed != 0;
  modes.seen += int(end - begin);
}

TEST(ThreadPool, EveryThreadHasTheKernelsFloatingPointModeAndTheCallersIsRestored) {
  unsigned before = _mm_getcsr();
  for (int64_t threads : {1, 3}) {
    std::unique_ptr<ThreadPool> pool = makePool(threads);
    // Round towards zero, no flushing, exceptions masked, the sticky flag of an inexact result set.
    unsigned mine = 0x1F80u | 0x6000u | 0x20u;
    _mm_setcsr(mine);
    Modes modes;
    for (int i = 0; i < 50; ++i)
      pool->run(checkMode, &modes, 24);
    EXPECT_EQ(_mm_getcsr(), mine);
    _mm_setcsr(before);
    EXPECT_EQ(modes.wrong, 0);
    EXPECT_EQ(modes.seen, 50 * 24);
  }
}

TEST(ThreadPool, AnUnmaskedExceptionOfTheCallerDoesNotReachTheJob) {
  std::unique_ptr<ThreadPool> pool = makePool(2);
  unsigned before = _mm_getcsr();
  _mm_setcsr(before & ~0x0200u & ~0x3Fu); // Division by zero would trap.
  pool->run(
      [](void *, int64_t, int64_t) {
        volatile float zero = 0.0f, infinite = 1.0f / zero;
        (void)infinite;
      },
      nullptr, 8);
  unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  EXPECT_EQ(after, before & ~0x0200u & ~0x3Fu);
}

/// Writes to `bytes` bytes of the stack, as a kernel does that keeps its scratch there.
__attribute__((noinline)) int64_t useStack(size_t bytes) {
  volatile uint8_t *room = static_cast<volatile uint8_t *>(__builtin_alloca(bytes));
  for (size_t at = 0; at < bytes; at += 512)
    room[at] = uint8_t(at >> 9);
  int64_t sum = 0;
  for (size_t at = 0; at < bytes; at += 512)
    sum += room[at] == uint8_t(at >> 9);
  return sum;
}

constexpr size_t largeFrame = size_t(24) << 20; // More than the stacks of threads have unless told otherwise.

TEST(ThreadPool, AJobHasItsStackOnEveryThreadWhateverTheCallerHas) {
  struct Context {
    std::atomic<int64_t> wrong{0}, inside{0};
    int64_t threads = 0;
  };
  auto job = [](void *raw, int64_t, int64_t) {
    Context &context = *static_cast<Context *>(raw);
    context.wrong += useStack(largeFrame) != int64_t(largeFrame / 512);
    // Every thread has to take part for the job to end.
    ++context.inside;
    auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (context.inside < context.threads && std::chrono::steady_clock::now() < limit)
      std::this_thread::yield();
  };
  for (int64_t threads : {1, 3}) {
    std::unique_ptr<ThreadPool> pool = makePool(threads, largeFrame);
    Context context;
    context.threads = threads;
    struct Call {
      ThreadPool *pool;
      Context *context;
      ThreadPool::Job job;
    } call{pool.get(), &context, job};
    pthread_attr_t small;
    ASSERT_EQ(pthread_attr_init(&small), 0);
    ASSERT_EQ(pthread_attr_setstacksize(&small, size_t(64) << 10), 0);
    pthread_t caller;
    ASSERT_EQ(pthread_create(
                  &caller, &small,
                  [](void *raw) -> void * {
                    Call &call = *static_cast<Call *>(raw);
                    call.pool->run(call.job, call.context, call.context->threads);
                    return nullptr;
                  },
                  &call),
              0);
    pthread_join(caller, nullptr);
    pthread_attr_destroy(&small);
    EXPECT_EQ(context.wrong, 0);
    EXPECT_EQ(context.inside, threads);
  }
}

TEST(ThreadPool, ManyJobsTogetherHaveStackAndModeAndTheCallersComeBack) {
  unsigned before = _mm_getcsr();
  std::unique_ptr<ThreadPool> pool = makePool(3, largeFrame);
  struct Context {
    ThreadPool *pool;
    Modes modes;
    std::atomic<int64_t> wrong{0};
  } context{pool.get(), {}};
  auto jobs = [](void *raw) {
    Context &context = *static_cast<Context *>(raw);
    for (int i = 0; i < 20; ++i)
      context.pool->run(checkMode, &context.modes, 24);
    context.pool->run(
        [](void *raw, int64_t, int64_t) {
          static_cast<Context *>(raw)->wrong += useStack(largeFrame) != int64_t(largeFrame / 512);
        },
        &context, 24);
  };
  for (int round = 0; round < 2; ++round) {
    pool->enter(jobs, &context);
    EXPECT_EQ(_mm_getcsr(), before);
    pool->run(checkMode, &context.modes, 24); // And alone, as before.
    EXPECT_EQ(_mm_getcsr(), before);
  }
  EXPECT_EQ(context.modes.wrong, 0);
  EXPECT_EQ(context.modes.seen, 2 * 21 * 24);
  EXPECT_EQ(context.wrong, 0);
  auto throwing = [](void *) { throw std::bad_alloc(); };
  EXPECT_THROW(pool->enter(throwing, nullptr), std::bad_alloc);
  EXPECT_EQ(_mm_getcsr(), before);
  pool->enter(jobs, &context);
  EXPECT_EQ(context.wrong, 0);
}

TEST(ThreadPool, WorkersLeaveSignalsToOtherThreads) {
  std::unique_ptr<ThreadPool> pool = makePool(2);
  struct Context {
    std::atomic<int> inside{0}, wrong{0};
    pthread_t caller = pthread_self();
  } context;
  pool->run(
      [](void *raw, int64_t, int64_t) {
        Context &context = *static_cast<Context *>(raw);
        sigset_t blocked;
        pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
        bool isWorker = !pthread_equal(pthread_self(), context.caller);
        context.wrong += sigismember(&blocked, SIGTERM) != int(isWorker);
        context.wrong += sigismember(&blocked, SIGSEGV) != 0;
        ++context.inside;
        auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (context.inside < 2 && std::chrono::steady_clock::now() < limit)
          std::this_thread::yield();
      },
      &context, 2);
  EXPECT_EQ(context.inside, 2);
  EXPECT_EQ(context.wrong, 0);
}

} // namespace
} // namespace chimera::runtime
