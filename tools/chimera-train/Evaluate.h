// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_EVALUATE_H
#define CHIMERA_TOOLS_CHIMERATRAIN_EVALUATE_H

#include "tools/chimera-train/Run.h"

namespace chimera::train {

/// Loss and accuracy on the first held-out sequences, under hard routing and, for a model that routes, soft; and how
/// the positions of each class were routed, hard; of a mixture also on each source. The same on every rank.
Result<EvaluationRecord> evaluate(Run &run);

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_EVALUATE_H
