// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_SIGNALS_H
#define CHIMERA_TOOLS_CHIMERATRAIN_SIGNALS_H

#include "runtime/core/Error.h"

namespace chimera::train {

/// From now on the first SIGINT, SIGTERM or SIGHUP (unless it is ignored, as nohup has it) only sets what
/// `stopRequested` says; the next one ends the process at once, with one line and status 1. A reader of the output that
/// goes away ends nothing.
void catchStopSignals();

/// Whether one of them came.
bool stopRequested();

/// A descriptor that can be read from once one of them came; -1 before `catchStopSignals`.
int stopDescriptor();

/// The failure of a run that was told to stop before it took a step; nothing if it was not.
runtime::Failure stoppedBeforeStart();

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_SIGNALS_H
