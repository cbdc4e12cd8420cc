// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the LLVM IR of GPU kernels to LLVM IR for this CPU that the simulator runs.
#ifndef CHIMERA_CODEGEN_NVPTX_SIMLOWERING_H
#define CHIMERA_CODEGEN_NVPTX_SIMLOWERING_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <memory>
#include <string>

namespace llvm {
class DataLayout;
class Module;
} // namespace llvm

namespace chimera::nvptx {

/// One kernel as CPU code.
struct SimModule {
  std::unique_ptr<llvm::Module> module;
  /// The function to start a thread with: void(void *const *params), see runtime/device/sim/Simulator.h.
  std::string entry;
  /// The shared memory that the kernel declares, in bytes.
  int64_t sharedBytes = 0;
};

/// Copies `device`, the very IR that the NVPTX backend gets, and rewrites kernel `kernel` in the copy: GPU intrinsics
/// and inline PTX become calls to the functions of runtime/device/sim/Intrinsics.h, shared variables become offsets
/// into the simulator's shared memory, and every access to global or shared memory is announced first. Arithmetic stays
/// as it is. The copy lives in the same context. Null module and one line in `error` when the kernel uses an
/// instruction that the simulator does not know.
SimModule lowerForSimulator(const llvm::Module &device, llvm::StringRef kernel, llvm::StringRef hostTriple,
                            const llvm::DataLayout &hostLayout, std::string &error);

/// A kernel of a module, and the threads of its blocks.
struct SimCall {
  std::string kernel;
  int64_t threads = 0;
};

/// Rewrites `device`, the very IR that the NVPTX backend gets, into functions that a model binary for `sim` holds: each
/// kernel becomes a function of the same name with the signature of docs/model-binary.md, whose blocks are thread
/// blocks. It calls the thread's code for one thread after the other; `buffers` is the address of the kernel's one
/// parameter. Every thread runs to its end by itself, so kernels whose threads wait for each other, or share memory,
/// are not for this. False, and one line in `error` that names the kernel and what it uses, for such a kernel.
bool lowerToCalls(llvm::Module &device, llvm::ArrayRef<SimCall> kernels, std::string &error);

} // namespace chimera::nvptx

#endif
