// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The cover: every kernel of the ref target as a GPU kernel, so that every op of every model has one. One thread of the
// GPU computes one block of the ref kernel, by the same statements, and so with the same bits.
#ifndef CHIMERA_CODEGEN_NVPTX_COVER_H
#define CHIMERA_CODEGEN_NVPTX_COVER_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace chimera::nvptx {

/// A kernel of functions over blocks (docs/model-binary.md, "Kernels"), and how it is launched.
struct CoverSpec {
  std::string symbol;
  int64_t buffers = 0;
  /// Those of the function. The GPU kernel has five more: the numbers of the launch's grid, in the order of
  /// kernel::Grid.
  int64_t constants = 0;
  /// Threads of a thread block: a multiple of 32, at most 1024.
  int64_t threads = 128;
};

/// Makes `spec.symbol` of `kernels` a GPU kernel of the same name, with one parameter by value, {ptr buffers[]; i64
/// args[]}. Its thread i runs block i of the function, which is inlined, where the grid has such a block. Errors name
/// the kernel: none of that name, a parameter of more than a GPU takes, a name that PTX does not have.
llvm::Error coverKernel(mlir::ModuleOp kernels, const CoverSpec &spec);

/// Covers every kernel that the launch tables of a planned module name. Their launches get the constants that it wants
/// and a grid of thread blocks, of `threads` threads each. Errors: those of coverKernel, and a kernel that is launched
/// in two ways.
llvm::Error coverPrograms(mlir::ModuleOp planned, int64_t threads);

} // namespace chimera::nvptx

#endif // CHIMERA_CODEGEN_NVPTX_COVER_H
