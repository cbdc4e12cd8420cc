// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a model's launches refer to by number: parameters, caches and their pools. The same for all its phases.

#ifndef CHIMERA_PASSES_MODEL_LAYOUT_H
#define CHIMERA_PASSES_MODEL_LAYOUT_H

#include "dialect/IR/Ops.h"

#include "llvm/ADT/MapVector.h"

namespace mlir::func {
class FuncOp;
} // namespace mlir::func

namespace chimera {

/// What the module attribute `chimera.parameters` says of a parameter: {name, type, optional, source, source_shape,
/// source_row, row_permutation}, without what the op lacks.
mlir::DictionaryAttr parameterEntry(ir::ParamOp op);

/// Where a cache's buffers are numbered.
struct CachePlace {
  int64_t firstPool = 0; ///< of its slot pools, which follow each other
  int64_t table = -1;    ///< a list's page table
};

/// Numbers the parameters and caches of a model.
class ModelLayout {
public:
  /// Adds the parameters of `phase`, in the order in which it first uses them, and, the first time, its caches, in the
  /// order of its arguments. Training programs have no caches, and come after the phases of inference. Fails with a
  /// diagnostic if a cache argument is not described or two phases disagree.
  mlir::LogicalResult add(mlir::func::FuncOp phase);

  /// Adds, after all phases, the parameters that the module's `chimera.parameters` (absent: none) lists and no phase
  /// uses: training keeps them as they are.
  void addUnread(mlir::ModuleOp module);

  /// Whether a phase uses a parameter of that name.
  bool hasParameter(mlir::StringRef name) const { return parameters.count(name) != 0; }

  /// The number of a parameter.
  int64_t parameter(mlir::StringRef name) const { return parameters.find(name)->second.first; }

  /// The place of the `index`-th cache argument.
  const CachePlace &cache(unsigned index) const { return places[index]; }

  /// The number of packed weights; equal ones share it.
  int64_t packed(ir::PackOp op) const { return packs.find(packedEntry(op))->second; }

  /// The module attribute `chimera.packed`: [{parameters, format, panel, group, interleaved, bytes}]; null without any.
  mlir::ArrayAttr packedAttr(mlir::MLIRContext *context) const;

  /// The module attribute `chimera.parameters`: the entries, by number.
  mlir::ArrayAttr parametersAttr(mlir::MLIRContext *context) const;

  /// The module attribute `chimera.caches`: [{layer, mode, name, type}].
  mlir::ArrayAttr cachesAttr(mlir::MLIRContext *context) const;

private:
  mlir::LogicalResult addParameter(ir::ParamOp op);
  mlir::LogicalResult addPack(ir::PackOp op);
  mlir::LogicalResult addCaches(mlir::func::FuncOp phase);
  mlir::DictionaryAttr packedEntry(ir::PackOp op) const;

  llvm::MapVector<mlir::StringRef, std::pair<int64_t, mlir::DictionaryAttr>> parameters;
  llvm::MapVector<mlir::Attribute, int64_t> packs;
  llvm::SmallVector<mlir::Attribute> caches;
  llvm::SmallVector<CachePlace> places;
  bool hasPhase = false; ///< whether the caches are known
};

/// Arguments of `phase` that are caches, in order.
llvm::SmallVector<mlir::BlockArgument> cacheArguments(mlir::func::FuncOp phase);

} // namespace chimera

#endif // CHIMERA_PASSES_MODEL_LAYOUT_H
