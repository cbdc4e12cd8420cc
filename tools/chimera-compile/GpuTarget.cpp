// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The targets whose kernels are GPU kernels: cuda and, with the same kernels as x86 code, sim (docs/simulator.md).
#include "codegen/binary/Object.h"
#include "codegen/nvptx/Cover.h"
#include "codegen/nvptx/Lowering.h"
#include "codegen/nvptx/SimLowering.h"
#include "runtime/abi/GpuLaunch.h"
#include "tools/chimera-compile/Diagnostics.h"
#include "tools/chimera-compile/Target.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"

namespace chimera::compile {

namespace {

/// Threads of a thread block of the cover. One thread computes a block of a ref kernel, which is little: enough threads
/// that a processor's schedulers have some to choose from, few enough that small launches use several processors.
constexpr int64_t coverThreads = 128;

/// The first architecture that has all of what the kernels use; its PTX runs on all later ones.
constexpr llvm::StringLiteral architecture = "sm_80";

llvm::Error fault(const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), what);
}

std::string printed(const llvm::Module &module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

class GpuTarget : public Target {
public:
  llvm::Error check(const Options &options) const override {
    if (options.emit == Emit::Cubin)
      return fault("--emit=cubin: not built yet; --emit=ptx writes the same kernels");
    return llvm::Error::success();
  }

  llvm::Error finishPrograms(mlir::ModuleOp module, const Options &options) const override {
    if (llvm::Error error = nvptx::coverPrograms(module, coverThreads))
      return fault(options.input + ": --target=" + name() + ": " + llvm::toString(std::move(error)));
    return llvm::Error::success();
  }

  llvm::Expected<std::string> code(const CodeRequest &request, const Options &options) const override {
    llvm::LLVMContext context;
    mlir::ModuleOp kernels = request.kernels;
    FirstDiagnostic diagnostics(kernels.getContext(), options.input);
    std::string error;
    std::unique_ptr<llvm::Module> device = nvptx::lowerToDeviceIR(kernels, context, {architecture.str()}, error);
    if (!device)
      return diagnostics.takeError(options.input + ": " + error);
    return request.form == Emit::PTX ? ptx(*device, options) : lower(*device, request, options);
  }

protected:
  static llvm::Expected<std::string> ptx(llvm::Module &device, const Options &options) {
    std::string error, text = nvptx::emitPtx(device, {architecture.str()}, error);
    return error.empty() ? llvm::Expected<std::string>(std::move(text)) : fault(options.input + ": " + error);
  }

  /// Any other form of the code than PTX.
  virtual llvm::Expected<std::string> lower(llvm::Module &device, const CodeRequest &request,
                                            const Options &options) const = 0;
};

class CudaTarget : public GpuTarget {
public:
  llvm::StringRef name() const override { return "cuda"; }

  llvm::Error check(const Options &options) const override {
    if (options.emit == Emit::Assembly)
      return fault("--target=cuda --emit=asm: the assembly of its kernels is PTX; use --emit=ptx");
    if (options.emit == Emit::Resources)
      return fault("--target=cuda --emit=resources: not built yet");
    return GpuTarget::check(options);
  }

  llvm::Expected<std::vector<binary::IsaVariant>> variants(const Options &options) const override {
    return std::vector<binary::IsaVariant>{{architecture.str(), architecture.str(), "", {}}};
  }

protected:
  llvm::Expected<std::string> lower(llvm::Module &device, const CodeRequest &request,
                                    const Options &options) const override {
    if (request.form == Emit::LLVM)
      return printed(device);
    llvm::Expected<std::string> text = ptx(device, options);
    if (!text)
      return text;
    constexpr char end = 0; // Drivers read to it.
    return binary::dataObject(llvm::StringRef(abi::ptxSection.data(), abi::ptxSection.size()), *text + end);
  }
};

class SimTarget : public GpuTarget {
public:
  llvm::StringRef name() const override { return "sim"; }

  /// That of ref: fused multiply-adds are one instruction.
  llvm::Expected<std::vector<binary::IsaVariant>> variants(const Options &options) const override {
    return Target::of("ref").variants(options);
  }

protected:
  llvm::Expected<std::string> lower(llvm::Module &device, const CodeRequest &request,
                                    const Options &options) const override {
    llvm::StringMap<int64_t> threads;
    for (const binary::Phase &phase : request.variant.phases)
      for (const binary::Launch &launch : phase.launches)
        threads[launch.kernel] = launch.threads;
    std::vector<std::string> symbols = binary::kernelSymbols(request.variant);
    std::vector<nvptx::SimCall> calls;
    for (const std::string &symbol : symbols)
      calls.push_back({symbol, threads[symbol]});
    std::string error;
    if (!nvptx::lowerToCalls(device, calls, error))
      return fault(options.input + ": " + error);
    binary::CodeFormat format = request.form == Emit::LLVM       ? binary::CodeFormat::LLVMIR
                                : request.form == Emit::Assembly ? binary::CodeFormat::Assembly
                                                                 : binary::CodeFormat::Object;
    binary::CodeOptions how;
    how.suffix = request.suffix;
    how.flushesSubnormals = false; // a GPU keeps them
    return binary::compileModule(device, symbols, request.isa, format, how, request.stackBytes);
  }
};

} // namespace

const Target &cudaTarget() {
  static const CudaTarget target;
  return target;
}

const Target &simTarget() {
  static const SimTarget target;
  return target;
}

} // namespace chimera::compile
