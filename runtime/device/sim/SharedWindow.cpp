// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/sim/SharedWindow.h"

#include <cstdint>
#include <sys/mman.h>

namespace chimera::sim {

namespace {
constexpr size_t kGuard = 64 * 1024;
constexpr size_t kMapped = 256 * 1024 + 2 * kGuard;
constexpr uint64_t kFirstTry = 0x40000000, kLastTry = 0xf0000000, kTryStep = 0x01000000;
} // namespace

SharedWindow::~SharedWindow() {
  if (mapping)
    munmap(mapping, kMapped);
}

bool SharedWindow::map() {
  for (uint64_t place = kFirstTry; !mapping && place <= kLastTry; place += kTryStep) {
    void *wanted = reinterpret_cast<void *>(place);
    void *got = mmap(wanted, kMapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == MAP_FAILED)
      continue;
    if (got != wanted) { // a kernel too old for the flag puts it elsewhere
      munmap(got, kMapped);
      continue;
    }
    char *start = static_cast<char *>(got);
    if (mprotect(start + kGuard, kMapped - 2 * kGuard, PROT_READ | PROT_WRITE) != 0) {
      munmap(got, kMapped);
      return false;
    }
    mapping = start;
    first = start + kGuard;
  }
  return mapping != nullptr;
}

} // namespace chimera::sim
