// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The checks of a manifest that look at more than one field.
#ifndef CHIMERA_RUNTIME_CORE_MANIFESTCHECK_H
#define CHIMERA_RUNTIME_CORE_MANIFESTCHECK_H

#include "runtime/core/Manifest.h"

namespace chimera::runtime {

/// References between parts of a manifest whose single fields are in range: names unique, pools of the right number and
/// size for their cache, page tables each used once, buffers referring to what exists, results large enough.
Failure checkManifest(const Manifest &manifest);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_MANIFESTCHECK_H
