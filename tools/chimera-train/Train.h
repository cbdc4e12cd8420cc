// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_TRAIN_H
#define CHIMERA_TOOLS_CHIMERATRAIN_TRAIN_H

#include "tools/chimera-train/Run.h"

namespace chimera::train {

/// Takes the steps that are left; log, evaluations and checkpoints on the way. After a signal to stop the step is
/// finished and saved. At the end --out is a model directory.
Failure train(Run &run);

/// Writes the gradients of the first step: of the mean cross entropy alone, before clipping.
Failure writeFirstGradients(Run &run);

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_TRAIN_H
