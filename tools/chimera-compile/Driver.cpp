// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-compile/Driver.h"
#include "codegen/binary/FromIR.h"
#include "codegen/binary/Link.h"
#include "codegen/binary/Manifest.h"
#include "codegen/binary/Object.h"
#include "codegen/binary/Output.h"
#include "dialect/IR/Dialect.h"
#include "dialect/IR/Ops.h"
#include "mlir/IR/MLIRContext.h"
#include "passes/Pipelines.h"
#include "tools/chimera-compile/Explain.h"
#include "tools/chimera-compile/Input.h"
#include "tools/chimera-compile/Options.h"
#include "tools/chimera-compile/Reports.h"
#include "tools/chimera-compile/Stage.h"
#include "tools/chimera-compile/Target.h"
#include "llvm/ADT/STLExtras.h"

namespace chimera::compile {

namespace {

/// The nested module that the passes put the kernels into.
constexpr llvm::StringLiteral kernelsModule = "kernels";

llvm::Error fault(const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), what);
}

/// Refuses what the command line can say but this version cannot do.
llvm::Error checkBuilt(const Options &options) {
  if (llvm::Error error = Target::of(options.target).check(options))
    return error;
  if (options.numerics != "invariant")
    return fault("--numerics=" + options.numerics + ": not built yet; use --numerics=invariant");
  return llvm::Error::success();
}

/// The module as text.
std::string printed(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  stream << "\n";
  return text;
}

/// Takes the dispatched module down to launch tables of kernels for one ISA.
llvm::Error lowerTo(mlir::ModuleOp module, const Options &options, const std::string &isa) {
  const Target &target = Target::of(options.target);
  auto toCalls = [&](mlir::OpPassManager &manager) { target.addCalls(manager, module, options, isa); };
  if (llvm::Error error = runStage(module, options, "fused", toCalls))
    return error;
  if (llvm::Error error = runStage(module, options, "kernels", buildProgramsPipeline))
    return error;
  return target.finishPrograms(module, options);
}

llvm::Expected<binary::Manifest> makeManifest(mlir::ModuleOp module, const Options &options,
                                              const binary::IsaVariant &variant) {
  auto manifest = binary::manifestFromIR(module);
  if (!manifest)
    return fault(options.input + ": " + llvm::toString(manifest.takeError()));
  manifest->target = options.target;
  manifest->numerics = options.numerics;
  manifest->variants.front().name = variant.name;
  manifest->variants.front().features = variant.features;
  if (llvm::Error error = binary::validate(*manifest))
    return fault(options.input + ": " + llvm::toString(std::move(error)));
  return manifest;
}

/// The code of the kernels in the form that --emit asks for. `stackBytes`: see CodeRequest.
llvm::Expected<std::string> kernelCode(mlir::ModuleOp module, const binary::Variant &programs, const Options &options,
                                       const binary::IsaVariant &isa, const std::string &suffix = "",
                                       int64_t *stackBytes = nullptr) {
  auto kernels = module.lookupSymbol<mlir::ModuleOp>(kernelsModule);
  if (!kernels)
    return fault(options.input + ": the passes made no module of kernels");
  return Target::of(options.target).code({kernels, programs, isa, options.emit, suffix, stackBytes}, options);
}

/// What to write for the levels below the launch table, for one ISA.
llvm::Expected<std::string> emitCode(mlir::ModuleOp module, const Options &options, const binary::IsaVariant &variant) {
  auto manifest = makeManifest(module, options, variant);
  if (!manifest)
    return manifest.takeError();
  if (options.emit == Emit::Memory)
    return memoryReport(*manifest);
  auto code = kernelCode(module, manifest->variants.front(), options, variant);
  if (!code || options.emit != Emit::Resources)
    return code;
  return resourceReport(*manifest, *code);
}

/// The binary: the kernels and programs of each ISA.
llvm::Expected<std::string> emitBinary(mlir::ModuleOp dispatched, const Options &options,
                                       llvm::ArrayRef<binary::IsaVariant> variants) {
  std::optional<binary::Manifest> whole;
  std::vector<std::string> objects;
  for (const binary::IsaVariant &variant : variants) {
    mlir::OwningOpRef<mlir::ModuleOp> module = dispatched.clone();
    if (llvm::Error error = lowerTo(*module, options, variant.name))
      return error;
    auto manifest = makeManifest(*module, options, variant);
    if (!manifest)
      return manifest.takeError();
    std::string suffix = variants.size() > 1 ? "." + variant.name : "";
    binary::Variant &programs = manifest->variants.front();
    auto object = kernelCode(*module, programs, options, variant, suffix, &programs.stackBytes);
    if (!object)
      return object.takeError();
    objects.push_back(std::move(*object));
    suffixKernels(programs, suffix);
    if (!whole)
      whole = std::move(*manifest);
    else if (llvm::Error error = appendVariant(*whole, std::move(*manifest)))
      return fault(options.input + ": " + llvm::toString(std::move(error)));
  }
  return binary::linkModelBinary(objects, binary::toJson(*whole));
}

/// Model level to dispatched, for the phases asked for. `memoryLimit`: see TrainingOptions.
llvm::Error dispatch(mlir::ModuleOp module, const Options &options, int64_t memoryLimit) {
  StepLimits limits{options.maxTokens, options.maxSeqs};
  bool infer = llvm::is_contained(options.phases, "infer"), train = llvm::is_contained(options.phases, "train");
  return runStage(module, options, "dispatched", [&](mlir::OpPassManager &manager) {
    if (train)
      buildTrainingPipeline(manager, {limits, memoryLimit, /*keepModel=*/infer});
    if (infer)
      buildDispatchedPipeline(manager, limits);
  });
}

/// The largest arena of a program that differentiates, in a planned module.
int64_t trainingArena(mlir::ModuleOp module) {
  int64_t bytes = 0;
  for (auto program : module.getOps<ir::ProgramOp>())
    if (program.getSymName().starts_with("train_"))
      bytes = std::max(bytes, static_cast<int64_t>(program.getArenaBytes()));
  return bytes;
}

/// Dispatches so that the arenas of training fit --memory-limit. What a target's kernels take beside the tensors, and
/// what the planner loses between them, is known only once it has planned: so the limit of the tensors is lowered by
/// what was too much, until all fits.
llvm::Error dispatchWithin(mlir::ModuleOp module, const Options &options,
                           const std::vector<binary::IsaVariant> &variants) {
  int64_t limit = options.memoryLimit, arena = 0;
  for (int attempt = 0; attempt < 6 && limit > 0; ++attempt) {
    mlir::OwningOpRef<mlir::ModuleOp> trial = module.clone();
    if (llvm::Error error = dispatch(*trial, options, limit)) {
      if (attempt == 0)
        return error;
      llvm::consumeError(std::move(error)); // what the arena takes beside the tensors does not fit
      break;
    }
    if (llvm::Error error = lowerTo(*trial, options, variants.front().name))
      return error;
    arena = trainingArena(*trial);
    if (arena <= options.memoryLimit)
      return dispatch(module, options, limit);
    limit -= arena - options.memoryLimit;
  }
  return fault("--memory-limit: a run of " + llvm::Twine(options.maxTokens) + " tokens needs " + llvm::Twine(arena) +
               " bytes, more than " + llvm::Twine(options.memoryLimit));
}

/// The levels of IR from the model down, stopping where --emit says.
llvm::Expected<std::string> emit(mlir::ModuleOp module, const Options &options) {
  if (options.emit == Emit::Chimera)
    return printed(module);
  const Target &target = Target::of(options.target);
  auto variants = target.variants(options);
  if (!variants)
    return variants.takeError();
  if (llvm::Error error =
          options.memoryLimit > 0 ? dispatchWithin(module, options, *variants) : dispatch(module, options, 0))
    return error;
  if (options.emit == Emit::Dispatched)
    return printed(module);
  if (options.emit == Emit::Fused) {
    if (llvm::Error error =
            runStage(module, options, "fused", target.fuses(module) ? buildFusionPipeline : buildRefCallsPipeline))
      return error;
    return printed(module);
  }
  if (options.emit == Emit::Binary)
    return emitBinary(module, options, *variants);
  if (llvm::Error error = lowerTo(module, options, variants->front().name))
    return error;
  return options.emit == Emit::Kernels ? llvm::Expected<std::string>(printed(module))
                                       : emitCode(module, options, variants->front());
}

} // namespace

llvm::Error compile(const Options &options) {
  if (options.explain)
    return explain(options);
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
