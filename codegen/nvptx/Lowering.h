// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a module of GPU kernels to optimised LLVM IR, and from that to PTX.
#ifndef CHIMERA_CODEGEN_NVPTX_LOWERING_H
#define CHIMERA_CODEGEN_NVPTX_LOWERING_H

#include "mlir/IR/BuiltinOps.h"
#include <memory>
#include <string>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace chimera::nvptx {

/// The GPUs that kernels are made for: "sm_80" (Ampere and all later) or "sm_90a" (Hopper).
struct GpuArch {
  std::string name = "sm_80";
};

/// Lowers `kernels` (ops that kernel::addLoweringPasses takes; changed in place) to LLVM IR for the NVPTX backend and
/// optimises it. All inline assembly is marked convergent: no pass may make it depend on more conditions than it did.
/// Floating-point contraction is off; only explicit fused multiply-adds fuse. Null and one line in `error` when
/// something fails.
std::unique_ptr<llvm::Module> lowerToDeviceIR(mlir::ModuleOp kernels, llvm::LLVMContext &context, const GpuArch &arch,
                                              std::string &error);

/// The PTX of a module that lowerToDeviceIR made for the same `arch`; the module is changed. Empty and one line in
/// `error` when something fails.
std::string emitPtx(llvm::Module &module, const GpuArch &arch, std::string &error);

} // namespace chimera::nvptx

#endif
