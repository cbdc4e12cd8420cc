// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Signals.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace chimera::train {

static volatile std::sig_atomic_t requested = 0;
static int ends[2] = {-1, -1}; ///< A pipe that wakes whoever waits for something else.

static void request(int signal) {
  int before = errno;
  // What fails here cannot be told to anybody.
  if (requested) {
    static const char text[] = "chimera-train: ended at once by a second signal; --resume goes on from the last "
                               "checkpoint\n";
    [[maybe_unused]] ssize_t written = ::write(2, text, sizeof text - 1);
    ::_exit(1);
  }
  requested = signal;
  [[maybe_unused]] ssize_t written = ::write(ends[1], "", 1);
  errno = before;
}

void catchStopSignals() {
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    ends[0] = ends[1] = -1; // Whoever waits then waits longer.
  struct sigaction action = {};
  action.sa_handler = request;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before = {};
    if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN)
      sigaction(signal, &action, nullptr);
  }
  std::signal(SIGPIPE, SIG_IGN);
}

bool stopRequested() {
  return requested != 0;
}

int stopDescriptor() {
  return ends[0];
}

runtime::Failure stoppedBeforeStart() {
  if (!stopRequested())
    return std::nullopt;
  const char *name = requested == SIGINT ? "SIGINT" : requested == SIGHUP ? "SIGHUP" : "SIGTERM";
  return runtime::Error(std::string("stopped by ") + name + " before the first step; nothing was trained or saved",
                        CHIMERA_ERROR_SYSTEM);
}

} // namespace chimera::train
