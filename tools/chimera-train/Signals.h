// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_SIGNALS_H
#define CHIMERA_TOOLS_CHIMERATRAIN_SIGNALS_H

namespace chimera::train {

/// From now on the first SIGINT or SIGTERM only sets what `stopRequested` says; the next one ends the process.
void catchStopSignals();

/// Whether one of them came.
bool stopRequested();

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_SIGNALS_H
