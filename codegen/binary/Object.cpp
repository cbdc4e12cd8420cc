// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/Object.h"
#include "codegen/binary/StackUse.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

namespace chimera::binary {

namespace {

constexpr llvm::StringLiteral targetTriple = "x86_64-unknown-linux-gnu";

llvm::Error fault(const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), what);
}

/// What LLVM's passes and backend say.
struct Messages {
  std::string error; ///< The first.
  FrameSizes frames;
};

/// Keeps what they say, an error of which would otherwise be printed and end the process.
class MessageKeeper : public llvm::DiagnosticHandler {
public:
  explicit MessageKeeper(Messages &messages) : messages(messages) {}

  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    noteFrameSize(info, messages.frames);
    std::string &message = messages.error;
    if (info.getSeverity() == llvm::DS_Error && message.empty()) {
      llvm::raw_string_ostream stream(message);
      llvm::DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
    }
    return true;
  }

private:
  Messages &messages;
};

llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createTargetMachine(llvm::StringRef cpu,
                                                                         llvm::StringRef attributes = "") {
  static const bool initialised = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    return true;
  }();
  (void)initialised;
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(targetTriple.str(), message);
  if (!target)
    return fault(message);
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  options.EmitAddrsig = false;
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(targetTriple, cpu, attributes, options,
                                                                           llvm::Reloc::PIC_, llvm::CodeModel::Small,
                                                                           llvm::CodeGenOptLevel::Default));
  if (!machine)
    return fault("no code generator for " + cpu);
  return machine;
}

llvm::Expected<std::unique_ptr<llvm::Module>> translate(mlir::ModuleOp kernels, llvm::LLVMContext &context) {
  std::string message;
  mlir::ScopedDiagnosticHandler handler(kernels.getContext(), [&](mlir::Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error && message.empty())
      message = diagnostic.str();
    return mlir::success();
  });
  std::unique_ptr<llvm::Module> module = mlir::translateModuleToLLVMIR(kernels, context, "kernels");
  if (!module)
    return fault("cannot translate the kernels to LLVM IR: " + message);
  return module;
}

/// Gives every function its linkage and the attributes that keep the code freestanding.
llvm::Error prepareFunctions(llvm::Module &module, llvm::ArrayRef<std::string> exported, const IsaVariant &variant,
                             const CodeOptions &options) {
  llvm::StringSet<> names;
  for (const std::string &name : exported) {
    names.insert(name);
    const llvm::Function *function = module.getFunction(name);
    if (!function || function->isDeclaration())
      return fault("the launch table names kernel '" + name + "', which is not defined");
  }
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    bool isKernel = names.contains(function.getName());
    function.setLinkage(isKernel ? llvm::Function::ExternalLinkage : llvm::Function::InternalLinkage);
    function.setVisibility(isKernel ? llvm::Function::ProtectedVisibility : llvm::Function::DefaultVisibility);
    function.setDSOLocal(true);
    function.addFnAttr("no-builtins");
    function.addFnAttr("target-cpu", variant.cpu);
    if (!variant.attributes.empty())
      function.addFnAttr("target-features", variant.attributes);
    if (options.flushesSubnormals)
      function.addFnAttr("denormal-fp-math", "preserve-sign,preserve-sign");
    function.addFnAttr(llvm::Attribute::NoUnwind);
    function.removeFnAttr(llvm::Attribute::UWTable);
    if (isKernel)
      function.setName(function.getName() + options.suffix);
  }
  for (llvm::GlobalVariable &global : module.globals())
    if (!global.isDeclaration())
      global.setLinkage(llvm::GlobalValue::InternalLinkage);
  return llvm::Error::success();
}

/// The O2 pipeline with a library that has no functions: no pass may turn a loop or an intrinsic into a call.
void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::TargetLibraryInfoImpl library(machine.getTargetTriple());
  library.disableAllFunctions();
  llvm::LoopAnalysisManager loopAnalyses;
  llvm::FunctionAnalysisManager functionAnalyses;
  llvm::CGSCCAnalysisManager callGraphAnalyses;
  llvm::ModuleAnalysisManager moduleAnalyses;
  llvm::PassBuilder builder(&machine);
  functionAnalyses.registerPass([&] { return llvm::TargetLibraryAnalysis(library); });
  builder.registerModuleAnalyses(moduleAnalyses);
  builder.registerCGSCCAnalyses(callGraphAnalyses);
  builder.registerFunctionAnalyses(functionAnalyses);
  builder.registerLoopAnalyses(loopAnalyses);
  builder.crossRegisterProxies(loopAnalyses, functionAnalyses, callGraphAnalyses, moduleAnalyses);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, moduleAnalyses);
}

llvm::Expected<std::string> generateCode(llvm::Module &module, llvm::TargetMachine &machine,
                                         llvm::CodeGenFileType type) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  llvm::TargetLibraryInfoImpl library(machine.getTargetTriple());
  library.disableAllFunctions();
  passes.add(new llvm::TargetLibraryInfoWrapperPass(library));
  if (machine.addPassesToEmitFile(passes, stream, nullptr, type))
    return fault("the code generator cannot write this kind of file");
  passes.run(module);
  return std::string(bytes.begin(), bytes.end());
}

/// Machine code, or an error that the backend reported; and the stack that it needs.
llvm::Expected<std::string> generateKernels(llvm::Module &module, llvm::TargetMachine &machine,
                                            llvm::CodeGenFileType type, const Messages &messages, int64_t *stackBytes) {
  requestFrameSizes(module);
  auto code = generateCode(module, machine, type);
  if (!code)
    return code;
  if (!messages.error.empty())
    return fault("cannot generate code: " + messages.error);
  auto stack = stackUse(module, messages.frames);
  if (!stack)
    return stack.takeError();
  if (stackBytes)
    *stackBytes = *stack;
  return code;
}

void setTarget(llvm::Module &module, const llvm::TargetMachine &machine) {
  module.setTargetTriple(targetTriple);
  module.setDataLayout(machine.createDataLayout());
  module.setPICLevel(llvm::PICLevel::BigPIC);
}

} // namespace

void registerKernelTranslation(mlir::DialectRegistry &registry) {
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
}

llvm::Expected<std::string> compileKernels(mlir::ModuleOp kernels, llvm::ArrayRef<std::string> exported,
                                           const IsaVariant &variant, CodeFormat format, llvm::StringRef suffix,
                                           int64_t *stackBytes) {
  llvm::LLVMContext context;
  auto module = translate(kernels, context);
  if (!module)
    return module.takeError();
  CodeOptions options;
  options.suffix = suffix;
  return compileModule(**module, exported, variant, format, options, stackBytes);
}

llvm::Expected<std::string> compileModule(llvm::Module &module, llvm::ArrayRef<std::string> exported,
                                          const IsaVariant &variant, CodeFormat format, const CodeOptions &options,
                                          int64_t *stackBytes) {
  auto machine = createTargetMachine(variant.cpu, variant.attributes);
  if (!machine)
    return machine.takeError();
  Messages messages;
  llvm::LLVMContext &context = module.getContext();
  context.setDiagnosticHandler(std::make_unique<MessageKeeper>(messages));
  // The messages end here, before the context does.
  auto restore =
      llvm::make_scope_exit([&] { context.setDiagnosticHandler(std::make_unique<llvm::DiagnosticHandler>()); });
  setTarget(module, **machine);
  if (llvm::Error error = prepareFunctions(module, exported, variant, options))
    return error;
  optimize(module, **machine);
  if (format == CodeFormat::LLVMIR) {
    if (stackBytes)
      *stackBytes = 0;
    std::string text;
    llvm::raw_string_ostream stream(text);
    module.print(stream, nullptr);
    return text;
  }
  return generateKernels(module, **machine,
                         format == CodeFormat::Assembly ? llvm::CodeGenFileType::AssemblyFile
                                                        : llvm::CodeGenFileType::ObjectFile,
                         messages, stackBytes);
}

llvm::Expected<std::string> dataObject(llvm::StringRef section, llvm::StringRef content) {
  auto machine = createTargetMachine("x86-64");
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  llvm::Module module("data", context);
  setTarget(module, **machine);
  llvm::Constant *bytes = llvm::ConstantDataArray::getString(context, content, /*AddNull=*/false);
  auto *global = new llvm::GlobalVariable(module, bytes->getType(), /*isConstant=*/true,
                                          llvm::GlobalValue::InternalLinkage, bytes, "data");
  global->setSection(section);
  global->setAlignment(llvm::Align(1));
  llvm::appendToUsed(module, {global});
  return generateCode(module, **machine, llvm::CodeGenFileType::ObjectFile);
}

} // namespace chimera::binary
