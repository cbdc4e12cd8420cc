// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Signals.h"

#include <csignal>

namespace chimera::train {

static volatile std::sig_atomic_t requested = 0;

static void request(int signal) {
  requested = 1;
  std::signal(signal, SIG_DFL);
}

void catchStopSignals() {
  struct sigaction action = {};
  action.sa_handler = request;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool stopRequested() {
  return requested != 0;
}

} // namespace chimera::train
