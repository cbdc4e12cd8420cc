// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a SIGINT, SIGTERM or SIGHUP that ends the program leaves behind. Signals that are ignored stay so.
#ifndef CHIMERA_TOOLS_CHIMERARUN_INTERRUPT_H
#define CHIMERA_TOOLS_CHIMERARUN_INTERRUPT_H

#include <csignal>

namespace chimera::run {

/// From now on such a signal turns the colours of the standard output off first, so that the terminal does not keep
/// them.
void resetColoursWhenInterrupted();

/// From now on such a signal waits for the end of an InterruptsWait; a second one does not.
void letInterruptsWait();

/// What must not be left half done.
class InterruptsWait {
public:
  InterruptsWait();
  ~InterruptsWait();
  InterruptsWait(const InterruptsWait &) = delete;
  InterruptsWait &operator=(const InterruptsWait &) = delete;
};

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
