// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The module attribute chimera.model, and what ops have to agree with it on.

#ifndef CHIMERA_DIALECT_IR_MODEL_ATTR_H
#define CHIMERA_DIALECT_IR_MODEL_ATTR_H

#include "dialect/IR/Attributes.h"
#include "dialect/IR/Dialect.h"
#include "runtime/abi/Layout.h"

#include <vector>

namespace chimera::ir {

/// What chimera.model says. The manifest has it word by word.
struct ModelDescription {
  struct Layer {
    llvm::SmallVector<Mode> modes;     ///< In canonical order.
    llvm::SmallVector<double> targets; ///< The share of the tokens that each is meant to take, their sum 1.
  };

  llvm::StringRef dtype; ///< "f64", "f32" or "bf16".
  int64_t vocabSize = 0;
  int64_t hiddenSize = 0;
  int64_t window = 0;
  int64_t headDim = 0;
  int64_t numAttentionHeads = 0;
  int64_t numKeyValueHeads = 0;
  std::optional<int64_t> bosTokenId;
  llvm::ArrayRef<int64_t> eosTokenIds;
  std::optional<int64_t> maxPositionEmbeddings;
  std::optional<abi::SamplingDefaults> sampling;
  std::vector<Layer> layers;
};

/// Reads a chimera.model. Fails with one diagnostic that names the key, if a key is missing, unknown, of another kind
/// or out of its range, or two do not fit each other.
mlir::FailureOr<ModelDescription> readModel(mlir::Attribute attr,
                                            llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// The chimera.model of the module around `op`; null without one.
mlir::DictionaryAttr modelOf(mlir::Operation *op);

/// `value`, which is `what` of the op, is what chimera.model's key `key` says. True of ops outside a model.
mlir::LogicalResult checkAgainstModel(mlir::Operation *op, const llvm::Twine &what, int64_t value, llvm::StringRef key);

/// The same of the model's element type.
mlir::LogicalResult checkModelType(mlir::Operation *op, const llvm::Twine &what, mlir::Type element);

/// The same of the number of the model's layers, times `factor`.
mlir::LogicalResult checkModelLayers(mlir::Operation *op, const llvm::Twine &what, int64_t value, int64_t factor = 1);

/// Layer `layer` exists in the model and has the modes `modes` (null: any).
mlir::LogicalResult checkModelLayer(mlir::Operation *op, int64_t layer, mlir::ArrayAttr modes);

} // namespace chimera::ir

#endif // CHIMERA_DIALECT_IR_MODEL_ATTR_H
