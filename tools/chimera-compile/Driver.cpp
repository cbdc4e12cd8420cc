// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-compile/Driver.h"
#include "codegen/binary/FromIR.h"
#include "codegen/binary/Link.h"
#include "codegen/binary/Manifest.h"
#include "codegen/binary/Object.h"
#include "codegen/binary/Output.h"
#include "codegen/kernel/Lowering.h"
#include "dialect/IR/Dialect.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "tools/chimera-compile/Diagnostics.h"
#include "tools/chimera-compile/Input.h"
#include "tools/chimera-compile/Options.h"
#include "tools/chimera-compile/Reports.h"
#include "llvm/ADT/STLExtras.h"

namespace chimera::compile {

namespace {

/// The ISA variant of the ref target.
constexpr llvm::StringLiteral refVariant = "x86-64-v3";
/// The nested module that the passes put the kernels into.
constexpr llvm::StringLiteral kernelsModule = "kernels";

llvm::Error fault(const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), what);
}

/// Refuses what the command line can say but this version cannot do.
llvm::Error checkBuilt(const Options &options) {
  if (options.target != "ref")
    return fault("--target=" + options.target + ": this target is not built yet; use --target=ref");
  if (options.emit == Emit::PTX || options.emit == Emit::Cubin)
    return fault("--emit: ptx and cubin need a GPU target, not --target=" + options.target);
  if (llvm::is_contained(options.phases, "train"))
    return fault("--phases: 'train' is not built yet; use --phases=infer");
  if (options.numerics != "invariant")
    return fault("--numerics=" + options.numerics + ": not built yet; use --numerics=invariant");
  return llvm::Error::success();
}

using AddPasses = llvm::function_ref<void(mlir::OpPassManager &)>;

/// Runs one stage on the module; a failure is the first diagnostic of its passes.
llvm::Error runStage(mlir::ModuleOp module, const Options &options, llvm::StringRef stage, AddPasses addPasses) {
  FirstDiagnostic diagnostics(module.getContext(), options.input);
  mlir::PassManager manager(module.getContext());
  addPasses(manager);
  if (mlir::failed(manager.run(module)))
    return diagnostics.takeError("the compiler failed at the level '" + stage.str() + "'");
  return llvm::Error::success();
}

/// The module as text. Locations name an op's layer, so the level that can be read again has them.
std::string printed(mlir::ModuleOp module, bool withLocations = false) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, mlir::OpPrintingFlags().enableDebugInfo(withLocations));
  stream << "\n";
  return text;
}

llvm::Expected<binary::Manifest> makeManifest(mlir::ModuleOp module, const Options &options) {
  auto manifest = binary::manifestFromIR(module);
  if (!manifest)
    return fault(options.input + ": " + llvm::toString(manifest.takeError()));
  auto variant = binary::isaVariant(refVariant);
  if (!variant)
    return variant.takeError();
  manifest->target = options.target;
  manifest->numerics = options.numerics;
  manifest->variant = variant->name;
  manifest->features = variant->features;
  if (llvm::Error error = binary::validate(*manifest))
    return fault(options.input + ": " + llvm::toString(std::move(error)));
  return manifest;
}

/// The code of the kernels, lowered to the LLVM dialect here, in one of its forms.
llvm::Expected<std::string> kernelCode(mlir::ModuleOp module, const binary::Manifest &manifest, const Options &options,
                                       binary::CodeFormat format) {
  auto kernels = module.lookupSymbol<mlir::ModuleOp>(kernelsModule);
  if (!kernels)
    return fault(options.input + ": the passes made no module of kernels");
  if (llvm::Error error = runStage(kernels, options, "llvm", kernel::addLoweringPasses))
    return error;
  auto variant = binary::isaVariant(manifest.variant);
  if (!variant)
    return variant.takeError();
  return binary::compileKernels(kernels, binary::kernelSymbols(manifest), *variant, format);
}

/// What to write for the levels below the launch table.
llvm::Expected<std::string> emitCode(mlir::ModuleOp module, const Options &options) {
  auto manifest = makeManifest(module, options);
  if (!manifest)
    return manifest.takeError();
  if (options.emit == Emit::Memory)
    return memoryReport(*manifest);
  binary::CodeFormat format = options.emit == Emit::LLVM       ? binary::CodeFormat::LLVMIR
                              : options.emit == Emit::Assembly ? binary::CodeFormat::Assembly
                                                               : binary::CodeFormat::Object;
  auto code = kernelCode(module, *manifest, options, format);
  if (!code || format != binary::CodeFormat::Object)
    return code;
  if (options.emit == Emit::Resources)
    return resourceReport(*manifest, *code);
  return binary::linkModelBinary(*code, binary::toJson(*manifest));
}

/// The levels of IR from the model down, stopping where --emit says.
llvm::Expected<std::string> emit(mlir::ModuleOp module, const Options &options) {
  if (options.emit == Emit::Chimera)
    return printed(module, /*withLocations=*/true);
  StepLimits limits{options.maxTokens, options.maxSeqs};
  if (llvm::Error error = runStage(module, options, "dispatched",
                                   [&](mlir::OpPassManager &manager) { buildDispatchedPipeline(manager, limits); }))
    return error;
  if (options.emit == Emit::Dispatched)
    return printed(module);
  if (llvm::Error error = runStage(module, options, "fused", buildRefCallsPipeline))
    return error;
  if (options.emit == Emit::Fused)
    return printed(module);
  if (llvm::Error error = runStage(module, options, "kernels", buildProgramsPipeline))
    return error;
  if (options.emit == Emit::Kernels)
    return printed(module);
  return emitCode(module, options);
}

} // namespace

llvm::Error compile(const Options &options) {
  if (llvm::Error error = checkBuilt(options))
    return error;
  mlir::DialectRegistry registry;
  registerDialect(registry);
  binary::registerKernelTranslation(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  auto module = loadModel(context, options);
  if (!module)
    return module.takeError();
  auto result = emit(**module, options);
  if (!result)
    return result.takeError();
  return binary::writeOutput(options.output.empty() ? "-" : options.output, *result);
}

} // namespace chimera::compile
