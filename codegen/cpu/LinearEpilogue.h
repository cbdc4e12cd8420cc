// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What becomes of the sums of a matrix product.
#ifndef CHIMERA_CODEGEN_CPU_LINEAREPILOGUE_H
#define CHIMERA_CODEGEN_CPU_LINEAREPILOGUE_H

#include "codegen/cpu/Kernels.h"
#include "codegen/kernel/KernelBuilder.h"

namespace chimera::cpu {

/// Where one row of sums goes.
struct EpilogueRow {
  Buffer sums; ///< f32 [panel]
  Buffer up;   ///< the second matrix's, for Glu
  Buffer out;  ///< this row of out
  Val gate;    ///< f32, if gated
};

/// Applies the spec's epilogue to the sums of the columns [first, min(first + panel, outputs)) of a row and writes
/// them.
void emitEpilogue(KernelBuilder &k, const LinearSpec &spec, int64_t lanes, int64_t panel, const EpilogueRow &row,
                  Val first);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_LINEAREPILOGUE_H
