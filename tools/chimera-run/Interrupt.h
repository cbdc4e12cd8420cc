// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERARUN_INTERRUPT_H
#define CHIMERA_TOOLS_CHIMERARUN_INTERRUPT_H

#include <csignal>

namespace chimera::run {

/// From now on a SIGINT, SIGTERM or SIGHUP that ends the program turns the colours of the standard output off first, so
/// that the terminal does not keep them. Signals that are ignored stay so.
void resetColoursWhenInterrupted();

/// While one of these lives, SIGINT does not end the program but is remembered, unless it was ignored before.
class InterruptWatch {
public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch &) = delete;
  InterruptWatch &operator=(const InterruptWatch &) = delete;

  bool interrupted() const;

private:
  struct sigaction before = {};
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_INTERRUPT_H
