// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_CORE_STEPCHECK_H
#define CHIMERA_RUNTIME_CORE_STEPCHECK_H

#include "runtime/core/Manifest.h"
#include "runtime/core/StepBatch.h"

namespace chimera::runtime {

/// Whether every token is one of the vocabulary, every forced mode one that its layer may force or its only
/// one, and the sequence does not become too long. An error names the sequence, the position and the layer.
Failure checkStepItem(const Manifest &manifest, const StepItem &item);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_STEPCHECK_H
