// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arrays that chimera-run evaluates or continues.
#ifndef CHIMERA_TOOLS_CHIMERARUN_BATCH_H
#define CHIMERA_TOOLS_CHIMERARUN_BATCH_H

#include "runtime/abi/chimera.h"
#include "runtime/io/Result.h"
#include "tools/chimera-run/Options.h"

#include <cstdint>
#include <vector>

namespace chimera::run {

/// B sequences of at most T tokens, checked.
struct Batch {
  int64_t sequences = 0;        ///< B
  int64_t width = 0;            ///< T
  std::vector<int32_t> tokens;  ///< [B][T]; 0 past a length.
  std::vector<int64_t> lengths; ///< [B], each 0 .. T; empty when B T = 0: nothing to run, however large B is.
  std::vector<int8_t> forced;   ///< [B][T][layers], or empty. -1 past a length.
};

/// Reads --tokens, --lengths and --force-routing and checks them against the
/// model: shapes, token ids in 0 .. vocab_size-1, lengths in 0 .. T, modes that
/// the layer can be forced to. What lies past a length is not looked at.
io::Result<Batch> readBatch(const Options &options, const chimera_model *model, const chimera_model_info &info);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_BATCH_H
