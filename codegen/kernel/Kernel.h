// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What every target's kernels have in common: element types, the grid of a launch, the dialects they are written in.
#ifndef CHIMERA_CODEGEN_KERNEL_KERNEL_H
#define CHIMERA_CODEGEN_KERNEL_KERNEL_H

#include <cstdint>
#include <string>

namespace mlir {
class DialectRegistry;
class MLIRContext;
class ModuleOp;
} // namespace mlir

namespace chimera::kernel {

enum class Scalar { F64, F32, BF16 };

/// What is applied to each element by itself; those of the dialect, which define them, with the same numbers.
enum class Activation { None, Silu, GeluTanh, Relu2 };

/// Bytes of one element.
int64_t byteSize(Scalar type);

/// The blocks of a launch: ceil((tokens N + seqs S + outputs R + constant) / divisor).
struct Grid {
  int64_t tokens = 0, seqs = 0, outputs = 0, constant = 0, divisor = 1;
};

struct Kernel {
  std::string symbol;
  Grid grid;
};

/// Adds / loads the dialects that the kernels are written in.
void registerKernelDialects(mlir::DialectRegistry &registry);
void loadKernelDialects(mlir::MLIRContext &context);

} // namespace chimera::kernel

#endif // CHIMERA_CODEGEN_KERNEL_KERNEL_H
