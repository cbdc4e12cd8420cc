// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inside of the fused routing kernel: what its three parts share. Only the files Route*.cpp include this.
#ifndef CHIMERA_CODEGEN_NVPTX_ROUTE_H
#define CHIMERA_CODEGEN_NVPTX_ROUTE_H

#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/nvptx/Kernels.h"

namespace chimera::nvptx {

constexpr int64_t routeThreads = 256, routeWarps = routeThreads / 32, warpLanes = 32;

/// The kernel's parameters.
struct RouteParams {
  Pointer index, start, position, sequence, slot;
  Pointer x, normWeight, normBias, h, routerNormWeight, routerNormBias, routerWeight, logits, bias, forced, counts;
  Pointer mode, gate, logp, probability;
  Pointer sortedIndex, inverse;
  llvm::SmallVector<Pointer> sortedStart;
  Pointer ticket;
  Val rows, sequences, layer, layers; ///< i32
};

/// What each part is made from.
struct RouteContext {
  GpuBuilder &b;
  const RouteSpec &spec;
  RouteParams p;
  int64_t modeCount() const { return static_cast<int64_t>(spec.modes.size()); }
  Val modeId(int64_t k) { return b.constant(spec.modes[k]); }
};

/// One row, by one warp: h, logits, ln p, and the wanted mode, which it leaves in `mode`.
void emitRouteRow(RouteContext &c, Val row);

/// Admission, by one warp a sequence: replaces the wanted modes in `mode` by the admitted ones and advances `counts`.
void emitAdmission(RouteContext &c);

/// The gates, by one thread a row; and the rows sorted by mode, by all threads of the block.
void emitGates(RouteContext &c);
void emitCompaction(RouteContext &c);

} // namespace chimera::nvptx

#endif
