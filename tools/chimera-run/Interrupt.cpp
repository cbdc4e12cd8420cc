// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Interrupt.h"

#include "tools/chimera-run/TextOutput.h"

#include <atomic>
#include <csignal>
#include <string_view>
#include <unistd.h>

namespace chimera::run {

/// The signal that waits; `idle` or `busy` if none does. Any thread may be the one that a signal is given to.
static std::atomic<int> pending;
static constexpr int idle = -1, busy = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler must not wait for a lock");

/// Runs with SA_RESETHAND: raising the signal again ends the program as the signal does.
static void resetAndEnd(int signal) {
  constexpr std::string_view code = resetCode;
  (void)!::write(STDOUT_FILENO, code.data(), code.size());
  ::raise(signal);
}

/// Likewise.
static void waitAndEnd(int signal) {
  int expected = busy;
  if (!pending.compare_exchange_strong(expected, signal))
    ::raise(signal);
}

static void handle(void (*handler)(int)) {
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action = {};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN)
      continue;
    action = {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    ::sigaction(signal, &action, nullptr);
  }
}

void resetColoursWhenInterrupted() {
  handle(resetAndEnd);
}

void letInterruptsWait() {
  pending = idle;
  handle(waitAndEnd);
}

InterruptsWait::InterruptsWait() {
  pending = busy;
}

InterruptsWait::~InterruptsWait() {
  if (int signal = pending.exchange(idle); signal > busy)
    ::raise(signal);
}

static volatile std::sig_atomic_t wasInterrupted = 0;

InterruptWatch::InterruptWatch() {
  wasInterrupted = 0;
  ::sigaction(SIGINT, nullptr, &before);
  if (before.sa_handler == SIG_IGN)
    return;
  struct sigaction action = {};
  action.sa_handler = [](int) { wasInterrupted = 1; };
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
}

InterruptWatch::~InterruptWatch() {
  ::sigaction(SIGINT, &before, nullptr);
}

bool InterruptWatch::interrupted() const {
  return wasInterrupted != 0;
}

} // namespace chimera::run
