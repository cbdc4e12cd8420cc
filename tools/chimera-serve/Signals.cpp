// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Signals.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <initializer_list>
#include <unistd.h>

namespace chimera::serve {

static int ends[2] = {-1, -1}; // A pipe: stopWaiting writes, waitForSignal reads.

void stopWaiting() {
  ssize_t written = ::write(ends[1], "", 1);
  (void)written;
}

static void remember(int) {
  int before = errno;
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  stopWaiting();
  errno = before;
}

void watchSignals() {
  std::signal(SIGPIPE, SIG_IGN);
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return;
  for (int signal : {SIGINT, SIGTERM}) {
    struct sigaction action = {};
    action.sa_handler = remember;
    ::sigaction(signal, &action, nullptr);
  }
}

void waitForSignal() {
  char byte;
  while (::read(ends[0], &byte, 1) < 0 && errno == EINTR) {
  }
}

} // namespace chimera::serve
