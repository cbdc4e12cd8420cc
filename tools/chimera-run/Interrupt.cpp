// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Interrupt.h"

#include "tools/chimera-run/TextOutput.h"

#include <csignal>
#include <string_view>
#include <unistd.h>

namespace chimera::run {

/// Runs with SA_RESETHAND: raising the signal again ends the program as the signal does.
static void resetAndEnd(int signal) {
  constexpr std::string_view code = resetCode;
  (void)!::write(STDOUT_FILENO, code.data(), code.size());
  ::raise(signal);
}

void resetColoursWhenInterrupted() {
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action = {};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN)
      continue;
    action = {};
    action.sa_handler = resetAndEnd;
    action.sa_flags = SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    ::sigaction(signal, &action, nullptr);
  }
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
