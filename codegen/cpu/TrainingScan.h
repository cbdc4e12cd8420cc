// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scans of whole sequences and their gradients, vectorised. Specs, buffers and formulas are those of
// codegen/ref/TrainingKernels.h with T = f32, but that the kept states of Mamba-2 are [heads][stateSize][headSize].
//
// Mamba-2: forward is the scan of inference (codegen/cpu/Kernels.h: ref's chains of fma, exp and softplus of Math.h),
// 32 rows at a time from a state of zeros (row by row if masked: a row that is not kept works on a copy). The gradient
// computes the states of 32 rows again, with the same bits, and walks them from the last to the first, lanes over the
// elements of the state. Its sums over dimensions are chains in ascending order (dB, dC: of a head from +0, then head
// after head), but sums that end in one number a row are taken lane by lane first, and the lanes then added as a tree:
// their order depends on the spec and the ISA alone.
//
// Linear and time-invariant: lanes over channels, each a chain of fma as in ref, with exp and sigmoid of Math.h. The
// terms of dwrite are added lane by lane over four vectors, the lanes then as a tree, then strip after strip.
#ifndef CHIMERA_CODEGEN_CPU_TRAININGSCAN_H
#define CHIMERA_CODEGEN_CPU_TRAININGSCAN_H

#include "codegen/cpu/Isa.h"
#include "codegen/ref/TrainingKernels.h"

namespace chimera::cpu {

/// Whether there are kernels for a scan: not for states of more than 512 elements a dimension.
bool hasTrainingKernels(const ref::SeqSsmScanSpec &spec);

/// A block is a head of a sequence.
kernel::Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const ref::SeqSsmScanSpec &spec);
/// A block is a group of heads of a sequence; all heads if weighted.
kernel::Kernel getOrEmitGrad(mlir::ModuleOp kernels, const Isa &isa, const ref::SeqSsmScanSpec &spec);

/// Whether there are kernels for a scan.
bool hasTrainingKernels(const ref::SeqLtiScanSpec &spec);
/// A block is 64 channels of a sequence.
kernel::Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const ref::SeqLtiScanSpec &spec);
/// The same; all channels if weighted.
kernel::Kernel getOrEmitGrad(mlir::ModuleOp kernels, const Isa &isa, const ref::SeqLtiScanSpec &spec);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_TRAININGSCAN_H
