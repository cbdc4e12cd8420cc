// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a config to the model-level IR: one function, @model, that says what the model computes.
#ifndef CHIMERA_DIALECT_FRONTEND_BUILDMODEL_H
#define CHIMERA_DIALECT_FRONTEND_BUILDMODEL_H

#include "dialect/frontend/Config.h"

#include "mlir/IR/OwningOpRef.h"

#include <optional>
#include <string_view>

namespace mlir {
class MLIRContext;
class ModuleOp;
} // namespace mlir

namespace chimera {

/// The dtype of a binary. The accumulator type (residual stream, norms, router, softmax, states, logits) is f64 for f64
/// and f32 otherwise; matrix operands, q, k, v and the cached k and v have the dtype itself.
enum class DType : uint8_t { F64, F32, BF16 };

/// "f64", "f32" or "bf16".
std::string_view dtypeName(DType dtype);

/// The dtype of that name, or nothing.
std::optional<DType> dtypeFromName(std::string_view name);

/// The module of the model: its function @model and the attribute `chimera.model`, as the dialect's description has it.
/// Loads the dialects it needs into `context`. Any config that parseConfig gives is buildable; the module verifies.
mlir::OwningOpRef<mlir::ModuleOp> buildModel(mlir::MLIRContext &context, const Config &config, DType dtype);

} // namespace chimera

#endif // CHIMERA_DIALECT_FRONTEND_BUILDMODEL_H
