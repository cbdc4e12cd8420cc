// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a target decides in a compilation.
#ifndef CHIMERA_TOOLS_CHIMERACOMPILE_TARGET_H
#define CHIMERA_TOOLS_CHIMERACOMPILE_TARGET_H

#include "codegen/binary/Manifest.h"
#include "codegen/binary/Variant.h"
#include "mlir/IR/BuiltinOps.h"
#include "tools/chimera-compile/Options.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace chimera::compile {

/// Kernels to make code of.
struct CodeRequest {
  mlir::ModuleOp kernels;
  /// Of the manifest: it names the kernels.
  const binary::Variant &variant;
  const binary::IsaVariant &isa;
  /// LLVM, Assembly or PTX; all others stand for an object file.
  Emit form = Emit::Binary;
  /// Added to the names of the kernels.
  std::string suffix;
  /// Unless null receives the most bytes of stack that a kernel takes.
  int64_t *stackBytes = nullptr;
};

/// A machine to compile for. The objects live as long as the program and have no state.
class Target {
public:
  /// The target of a name that is one of targetNames.
  static const Target &of(llvm::StringRef name);

  virtual ~Target() = default;
  virtual llvm::StringRef name() const = 0;

  /// Refuses what the command line can say but this target cannot do.
  virtual llvm::Error check(const Options &options) const = 0;
  /// What to make kernels for, the best first.
  virtual llvm::Expected<std::vector<binary::IsaVariant>> variants(const Options &options) const = 0;
  /// Whether the target's own fused kernels run a model, at the dispatched level.
  virtual bool fuses(mlir::ModuleOp module) const { return false; }
  /// Adds the passes from the dispatched level to one call a launch; those of the ref target unless it fuses.
  virtual void addCalls(mlir::OpPassManager &manager, mlir::ModuleOp module, const Options &options,
                        const std::string &isa) const;
  /// What is to be done with the planned launch tables and their kernels.
  virtual llvm::Error finishPrograms(mlir::ModuleOp module, const Options &options) const;
  /// The code of kernels, which are lowered for it here.
  virtual llvm::Expected<std::string> code(const CodeRequest &request, const Options &options) const;
};

/// Of every target, in the order in which messages list them.
llvm::ArrayRef<llvm::StringRef> targetNames();

/// GpuTarget.cpp.
const Target &cudaTarget();
const Target &simTarget();

} // namespace chimera::compile

#endif // CHIMERA_TOOLS_CHIMERACOMPILE_TARGET_H
