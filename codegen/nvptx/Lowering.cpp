// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nvptx/Lowering.h"

#include "codegen/kernel/Lowering.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;

namespace chimera::nvptx {

static constexpr llvm::StringLiteral triple = "nvptx64-nvidia-cuda";
/// PTX 8.0 (CUDA 12.0): the first that has sm_90a.
static constexpr llvm::StringLiteral ptxVersion = "+ptx80";

static std::unique_ptr<llvm::TargetMachine> makeTarget(const GpuArch &arch, std::string &error) {
  static const bool initialised = [] {
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)initialised;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple.str(), error);
  if (!target)
    return nullptr;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, arch.name, ptxVersion, options, llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

static LogicalResult lowerToLLVMDialect(ModuleOp kernels) {
  PassManager manager(kernels.getContext());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  kernel::addLoweringPasses(manager);
  return manager.run(kernels);
}

static void markConvergent(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function))
      if (auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction); call && call->isInlineAsm())
        call->setConvergent();
}

static void optimise(llvm::Module &module, llvm::TargetMachine &target) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&target);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

std::unique_ptr<llvm::Module> lowerToDeviceIR(ModuleOp kernels, llvm::LLVMContext &context, const GpuArch &arch,
                                              std::string &error) {
  auto target = makeTarget(arch, error);
  if (!target)
    return nullptr;
  registerBuiltinDialectTranslation(*kernels.getContext());
  registerLLVMDialectTranslation(*kernels.getContext());
  registerNVVMDialectTranslation(*kernels.getContext());
  if (failed(lowerToLLVMDialect(kernels))) {
    error = "a GPU kernel could not be lowered to the llvm dialect";
    return nullptr;
  }
  auto module = translateModuleToLLVMIR(kernels, context);
  if (!module) {
    error = "a GPU kernel could not be translated to LLVM IR";
    return nullptr;
  }
  module->setTargetTriple(triple);
  module->setDataLayout(target->createDataLayout());
  markConvergent(*module);
  optimise(*module, *target);
  return module;
}

std::string emitPtx(llvm::Module &module, const GpuArch &arch, std::string &error) {
  auto target = makeTarget(arch, error);
  if (!target)
    return {};
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream os(text);
  llvm::legacy::PassManager passes;
  if (target->addPassesToEmitFile(passes, os, nullptr, llvm::CodeGenFileType::AssemblyFile)) {
    error = "LLVM's NVPTX backend cannot write PTX";
    return {};
  }
  passes.run(module);
  return text.str().str();
}

} // namespace chimera::nvptx
