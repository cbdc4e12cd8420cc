// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the caches of a model take at a given batch and context.
#ifndef CHIMERA_TOOLS_CHIMERAINSPECT_MEMORYESTIMATE_H
#define CHIMERA_TOOLS_CHIMERAINSPECT_MEMORYESTIMATE_H

#include "runtime/core/Manifest.h"
#include "runtime/io/Result.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace chimera::inspect {

/// Shares of the tokens by mode, in canonical order; each in 0 .. 1.
using Fractions = std::array<double, 4>;

/// Reads "ssm=.6,full=.1"; modes not named have 0. The error says what is wrong.
io::Result<Fractions> parseFractions(const std::string &text);

/// The names of modes in canonical order.
const char *modeName(int mode);

/// The share of a layer's tokens that each of its modes takes: `fractions` renormalised over `modes` (bits), or equal
/// shares where they are all 0.
Fractions layerFractions(const Fractions &fractions, uint32_t modes);

/// Bytes by layer and purpose, as doubles: exact up to 2^53, and no input overflows.
struct MemoryEstimate {
  static constexpr size_t purposes = 5; ///< The values of runtime::CacheMode.
  std::vector<std::array<double, purposes>> layers;
  double denseLayer = 0;     ///< One layer of the dense Transformer.
  bool denseAssumed = false; ///< The model has no heads: keys and values of hidden_size each were taken.
};

/// The bytes that `batch` sequences of `context` tokens hold: slots of every pool; for a growing list the pages of
/// ceil(share of full * context) entries with their table entries. A layer's shares are `fractions`, renormalised over
/// its modes; without them the layer's target. Beside it a dense Transformer: every layer full
/// attention with the same key/value heads, dtype and pages.
MemoryEstimate estimateMemory(const runtime::Manifest &manifest, int64_t batch, int64_t context,
                              const std::optional<Fractions> &fractions);

} // namespace chimera::inspect

#endif // CHIMERA_TOOLS_CHIMERAINSPECT_MEMORYESTIMATE_H
