// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SIGINT and SIGTERM: the first asks the program to end, a second one ends it.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_SIGNALS_H
#define CHIMERA_TOOLS_CHIMERASERVE_SIGNALS_H

namespace chimera::serve {

/// From now on such a signal is remembered, and the next one ends the program. SIGPIPE, which a client that went away
/// would cause, does nothing any more.
void watchSignals();

/// Waits for the first such signal, or until another thread calls `stopWaiting`.
void waitForSignal();
void stopWaiting();

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_SIGNALS_H
