// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sections of chimera-inspect's output, on stdout.
#ifndef CHIMERA_TOOLS_CHIMERAINSPECT_PRINT_H
#define CHIMERA_TOOLS_CHIMERAINSPECT_PRINT_H

#include "runtime/core/Manifest.h"
#include "runtime/core/ModelFile.h"
#include "tools/chimera-inspect/MemoryEstimate.h"

#include <cstdint>

namespace chimera::inspect {

/// What the model is, what it needs, what it holds.
void printSummary(const runtime::ModelFile &file, const runtime::Manifest &manifest);

/// One line a parameter: dtype, shape, name. Then one for each packed form.
void printParameters(const runtime::Manifest &manifest);

/// One line a launch of each variant and phase: grid, layer, op, kernel, buffers, constants.
void printLaunches(const runtime::Manifest &manifest);

/// The caches of `batch` sequences of `context` tokens by layer and mode, beside a dense Transformer's. Without
/// `fractions` the layers' targets are taken.
void printMemory(const runtime::Manifest &manifest, int64_t batch, int64_t context,
                 const std::optional<Fractions> &fractions);

} // namespace chimera::inspect

#endif // CHIMERA_TOOLS_CHIMERAINSPECT_PRINT_H
