// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/Forks.h"

#include <atomic>
#include <pthread.h>

namespace chimera::runtime {

/// How many forks lie between this process and the one that loaded this library.
static std::atomic<uint64_t> forks{0};

static uint64_t currentGeneration() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
  (void)registered;
  return forks.load(std::memory_order_relaxed);
}

MakerProcess::MakerProcess() : generation(currentGeneration()) {}

bool MakerProcess::isThis() const {
  return forks.load(std::memory_order_relaxed) == generation;
}

} // namespace chimera::runtime
