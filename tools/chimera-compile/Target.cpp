// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-compile/Target.h"
#include "codegen/binary/Object.h"
#include "codegen/cpu/Isa.h"
#include "codegen/kernel/Lowering.h"
#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"
#include "passes/Pipelines.h"
#include "runtime/core/CpuFeatures.h"
#include "tools/chimera-compile/Stage.h"
#include "llvm/ADT/STLExtras.h"

namespace chimera::compile {

namespace {

/// The ISA variant of the ref target.
constexpr llvm::StringLiteral refVariant = "x86-64-v3";

llvm::Error fault(const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), what);
}

/// Whether the model computes in f64, for which there are ref kernels only, whatever the target.
bool isF64(mlir::ModuleOp module) {
  bool found = false;
  module.walk([&](ir::EmbedOp op) { found |= ir::elementOf(op.getResult()).isF64(); });
  return found;
}

class RefTarget : public Target {
public:
  llvm::StringRef name() const override { return "ref"; }

  llvm::Error check(const Options &options) const override {
    if (options.emit == Emit::PTX || options.emit == Emit::Cubin)
      return fault("--emit: ptx and cubin need a GPU target, not --target=" + name());
    return llvm::Error::success();
  }

  llvm::Expected<std::vector<binary::IsaVariant>> variants(const Options &options) const override {
    return std::vector<binary::IsaVariant>{llvm::cantFail(binary::isaVariant(refVariant))};
  }
};

class CpuTarget : public RefTarget {
public:
  llvm::StringRef name() const override { return "cpu"; }

  llvm::Expected<std::vector<binary::IsaVariant>> variants(const Options &options) const override {
    std::vector<binary::IsaVariant> variants;
    bool native = llvm::is_contained(options.cpus, "native");
    for (const cpu::Isa &isa : cpu::allIsas()) {
      binary::IsaVariant variant = llvm::cantFail(binary::isaVariant(isa.name));
      bool best = native && runtime::missingCpuFeatures(variant.features).empty();
      if (best || llvm::is_contained(options.cpus, isa.name))
        variants.push_back(variant);
      native = native && !best;
    }
    if (native)
      return fault("--mcpu=native: this machine lacks AVX2 with FMA, which the cpu target needs; name an ISA or use "
                   "--target=ref");
    return variants;
  }

  bool fuses(mlir::ModuleOp module) const override { return !isF64(module); }

  void addCalls(mlir::OpPassManager &manager, mlir::ModuleOp module, const Options &options,
                const std::string &isa) const override {
    if (fuses(module))
      buildCpuCallsPipeline(manager, {isa, options.weights});
    else
      buildRefCallsPipeline(manager);
  }
};

} // namespace

void Target::addCalls(mlir::OpPassManager &manager, mlir::ModuleOp module, const Options &options,
                      const std::string &isa) const {
  buildRefCallsPipeline(manager);
}

llvm::Error Target::finishPrograms(mlir::ModuleOp module, const Options &options) const {
  return llvm::Error::success();
}

llvm::Expected<std::string> Target::code(const CodeRequest &request, const Options &options) const {
  if (llvm::Error error = runStage(request.kernels, options, "llvm", kernel::addLoweringPasses))
    return error;
  binary::CodeFormat format = request.form == Emit::LLVM       ? binary::CodeFormat::LLVMIR
                              : request.form == Emit::Assembly ? binary::CodeFormat::Assembly
                                                               : binary::CodeFormat::Object;
  return binary::compileKernels(request.kernels, binary::kernelSymbols(request.variant), request.isa, format,
                                request.suffix, request.stackBytes);
}

static llvm::ArrayRef<const Target *> allTargets() {
  static const RefTarget ref;
  static const CpuTarget cpu;
  static const Target *const targets[] = {&cpu, &cudaTarget(), &simTarget(), &ref};
  return targets;
}

llvm::ArrayRef<llvm::StringRef> targetNames() {
  static const std::vector<llvm::StringRef> names = [] {
    std::vector<llvm::StringRef> list;
    for (const Target *target : allTargets())
      list.push_back(target->name());
    return list;
  }();
  return names;
}

const Target &Target::of(llvm::StringRef name) {
  return **llvm::find_if(allTargets(), [&](const Target *target) { return target->name() == name; });
}

} // namespace chimera::compile
