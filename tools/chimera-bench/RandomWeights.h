// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERABENCH_RANDOMWEIGHTS_H
#define CHIMERA_TOOLS_CHIMERABENCH_RANDOMWEIGHTS_H

#include "runtime/core/Manifest.h"
#include "tools/chimera-bench/Handles.h"

#include <cstdint>

namespace chimera::bench {

/// Weights for speed, not for sense: small uniform matrices, norms of one, decays as a model has them, so that values
/// stay finite and normal at any context. They pass through a file in TMPDIR (/tmp without it) that is gone afterwards.
io::Result<WeightsHandle> makeRandomWeights(const chimera_model *model, const runtime::Manifest &manifest,
                                            uint64_t seed);

/// The bytes of a tensor of that name with such values: `elements` of `type` (f64, f32 or bf16).
std::vector<uint8_t> randomTensor(uint64_t seed, const std::string &name, io::DType type, int64_t elements);

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_RANDOMWEIGHTS_H
