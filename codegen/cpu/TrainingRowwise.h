// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of training on the `cpu` target that go row by row, and sums over rows: what each computes is said by the
// ref kernel of the same name (codegen/ref/TrainingKernels.h, codegen/ref/Kernels.h), whose buffers and grid it has
// unless said otherwise. All are of f32. What is not here (sums, casts, copies, gathers, the combination) the compiler
// vectorises as it stands in `ref`.
//
// How values differ from `ref`: exp, and with it silu, its slope and the probabilities, is an f32 polynomial (Math.h),
// where ref evaluates in f64 and rounds once; sums over the columns of a row are kept in 16 lanes, element i in lane
// i mod 16, and added as a tree, on every ISA (Reduce.h). Sums over rows are the chains of ref, equal in every bit.
// Nothing depends on the rows beside a row, on the cut of the grid or on the thread.
#ifndef CHIMERA_CODEGEN_CPU_TRAININGROWWISE_H
#define CHIMERA_CODEGEN_CPU_TRAININGROWWISE_H

#include "codegen/cpu/Kernels.h"

namespace chimera::cpu {

// One element to one (TrainingRowwiseMaps.cpp).

struct ActivateSpec {
  int64_t width;
  Activation activation;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const ActivateSpec &spec);

struct GluSpec {
  int64_t width;
  Activation activation;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const GluSpec &spec);

/// dx = dy f'(x), by activationParts. The slope of silu is within 6 * 2^-24 of its greatest value, 1.1.
struct ActivateGradSpec {
  int64_t width;
  Activation activation;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const ActivateGradSpec &spec);

struct GluGradSpec {
  int64_t width;
  Activation activation;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const GluGradSpec &spec);

// Norms (TrainingRowwiseNorms.cpp).

/// With d = x - mean (x itself for RMS) and i = 1 / root, the sums being over a row:
///   dx = i (g - d c) (RMS),   dx = i ((g - mean(g)) - d c) (Layer),   c = i i (sum g d / width),   rows = dy d i.
/// With groups: of each, the width being the group's.
struct NormGradSpec {
  int64_t width;
  NormKind kind;
  double eps;
  int64_t groups = 1;
  bool unitOffset = false; ///< g = (1 + w) dy
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const NormGradSpec &spec);

/// The same of u = y silu(z) in each group, and through the product.
struct GatedNormGradSpec {
  int64_t width, groups;
  double eps;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const GatedNormGradSpec &spec);

// Sums over rows (TrainingRowwiseSums.cpp).

/// Equal to ref in every bit. Grid: one block for each columnSumBlock(width) columns.
struct ColumnSumSpec {
  int64_t width;
  Scalar in, out; ///< F32 to F32 or F64, F64 to F64
};
/// Columns of a block: fewer where there are few, so that every thread has some.
int64_t columnSumBlock(int64_t width);
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const ColumnSumSpec &spec);

// Rotary embedding (TrainingRowwiseRope.cpp).

/// The angles of each position: out[p][j] = f32(cos(p f_j)), out[p][half + j] = f32(sin(p f_j)), in f64 as the ref
/// kernel evaluates them, for the positions below the rows of the longest sequence; other rows are left as they are. In
/// training a sequence is whole, so that its positions are 0 .. rows - 1. Buffers: start (of the batch), out f32 [N, 2
/// half]. Grid: tokens.
struct RopeAnglesSpec {
  std::vector<double> frequencies;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const RopeAnglesSpec &spec);

/// Turns heads by such angles, or back: the bits of ref. Buffers: rows, angles, x (a view), out [., heads*headSize].
struct RopeTurnSpec {
  int64_t heads, headSize, dims;
  View x;
  bool inverse;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const RopeTurnSpec &spec);

// Modes and the residual stream (TrainingRowwiseCombine.cpp).

struct CombineGradSpec {
  int64_t width;
  std::vector<int> modes;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const CombineGradSpec &spec);

struct SoftCombineSpec {
  int64_t width;
  std::vector<bool> present;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const SoftCombineSpec &spec);

struct SoftCombineGradSpec {
  int64_t width;
  std::vector<bool> present;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const SoftCombineGradSpec &spec);

// Scattering (TrainingRowwiseScatter.cpp).

/// Equal to ref in every bit.
struct ScatterSpec {
  int64_t width, pieces;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const ScatterSpec &spec);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_TRAININGROWWISE_H
