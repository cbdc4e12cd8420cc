// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERARUN_INTERRUPT_H
#define CHIMERA_TOOLS_CHIMERARUN_INTERRUPT_H

namespace chimera::run {

/// From now on a SIGINT, SIGTERM or SIGHUP that ends the program turns the colours of the standard output off first, so
/// that the terminal does not keep them. Signals that are ignored stay so.
void resetColoursWhenInterrupted();

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_INTERRUPT_H
