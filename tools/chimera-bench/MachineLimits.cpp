// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/MachineLimits.h"

#include "tools/chimera-bench/MachineKernels.h"
#include "tools/chimera-bench/Statistics.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <new>
#include <sys/mman.h>
#include <thread>
#include <vector>

namespace chimera::bench {

static constexpr int passes = 9;
static constexpr double shortestPass = 0.01; ///< Seconds; a pass repeats its work until it is that long.

static const MachineKernels &bestKernels() {
  if (__builtin_cpu_supports("avx512f"))
    return machineKernelsAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return machineKernelsAvx2;
  return machineKernelsSse2;
}

/// Keeps results alive.
static std::atomic<uint64_t> sink;

/// Seconds from the moment all threads are ready until the last has done `work(thread)`. Throws std::system_error when
/// a thread cannot be started.
static double timeThreads(int64_t threads, const std::function<void(int64_t)> &work) {
  std::atomic<int64_t> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> workers;
  auto run = [&](int64_t thread) {
    ++ready;
    while (!go.load(std::memory_order_acquire))
      std::this_thread::yield();
    work(thread);
  };
  try {
    for (int64_t thread = 1; thread < threads; ++thread)
      workers.emplace_back(run, thread);
  } catch (...) { // Those that there are must end before their handles do.
    go.store(true, std::memory_order_release);
    for (std::thread &worker : workers)
      worker.join();
    throw;
  }
  while (ready.load() != threads - 1)
    std::this_thread::yield();
  auto begin = std::chrono::steady_clock::now();
  go.store(true, std::memory_order_release);
  work(0);
  for (std::thread &worker : workers)
    worker.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Units a second: `work(thread, times)` does `units` units on each call and thread, `times` times over.
static double medianRate(int64_t threads, double units, const std::function<void(int64_t, int64_t)> &work) {
  int64_t times = 1;
  for (;;) {
    double seconds = timeThreads(threads, [&](int64_t thread) { work(thread, times); });
    if (seconds >= shortestPass || times > int64_t(1) << 40)
      break;
    times *= 2;
  }
  std::vector<double> rates;
  for (int pass = 0; pass < passes; ++pass)
    rates.push_back(units * double(times) / timeThreads(threads, [&](int64_t thread) { work(thread, times); }));
  return statisticsOf(rates).median;
}

/// The best instruction for bf16 products that code with these features uses; null without one.
static const MachineProducts *bestProducts(const std::vector<std::string> &features) {
  for (const MachineProducts *products : {&machineTileBF16, &machineDotBF16})
    if (std::find(features.begin(), features.end(), products->feature) != features.end())
      return products;
  return nullptr;
}

static constexpr size_t hugePage = size_t(2) << 20;

MachineLimits measureLimits(int64_t threads, size_t bytes, const std::vector<std::string> &bf16Features) {
  const MachineKernels &kernels = bestKernels();
  constexpr size_t unit = 4096;
  size_t share = std::max<size_t>(bytes, 65536) / size_t(threads) / unit * unit;
  share = std::max(share, unit);
  struct Delete {
    void operator()(uint8_t *data) const { ::operator delete(data, std::align_val_t(hugePage)); }
  };
  std::unique_ptr<uint8_t, Delete> buffer(
      static_cast<uint8_t *>(::operator new(share * size_t(threads), std::align_val_t(hugePage))));
  madvise(buffer.get(), share * size_t(threads), MADV_HUGEPAGE); // As weights have. Only faster; it may be refused.
  // Each thread touches its own part first, so that the memory is near it; not with zeros, which might share a page.
  timeThreads(threads,
              [&](int64_t thread) { std::fill_n(buffer.get() + share * size_t(thread), share, uint8_t(thread + 1)); });

  MachineLimits limits;
  limits.instructionSet = kernels.name;
  limits.threads = threads;
  limits.bufferBytes = share * size_t(threads);
  limits.bytesPerSecond = medianRate(threads, double(limits.bufferBytes), [&](int64_t thread, int64_t times) {
    for (int64_t i = 0; i < times; ++i)
      sink += kernels.read(buffer.get() + share * size_t(thread), share);
  });
  constexpr int64_t rounds = 1000;
  limits.flopsPerSecond =
      medianRate(threads, double(rounds * kernels.flopsPerRound * threads),
                 [&](int64_t, int64_t times) { sink += uint64_t(kernels.multiplyAdd(rounds * times)); });
  if (const MachineProducts *products = bestProducts(bf16Features)) {
    limits.products = products->name;
    limits.productsPerSecond =
        medianRate(threads, double(rounds * products->flopsPerRound * threads),
                   [&](int64_t, int64_t times) { sink += uint64_t(products->multiplyAdd(rounds * times)); });
  }
  return limits;
}

} // namespace chimera::bench
