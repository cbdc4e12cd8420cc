// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The discardable attributes of the dialect: their names, and typed access to them. The dialect verifies each wherever
// it stands (Attributes.cpp), so that who reads one of verified IR asks only whether it is there.

#ifndef CHIMERA_DIALECT_IR_ATTRIBUTES_H
#define CHIMERA_DIALECT_IR_ATTRIBUTES_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

#include <optional>

namespace chimera::ir {

namespace attrs {

// Of a module.

/// What a manifest says of the model beside its launches: see ModelAttr.h.
inline constexpr llvm::StringLiteral model = "chimera.model";
/// [{name, type, optional, source, source_shape, source_row, row_permutation}]: the parameters, by number; all but the
/// first two may be absent.
inline constexpr llvm::StringLiteral parameters = "chimera.parameters";
/// [name]: the parameters that have a gradient.
inline constexpr llvm::StringLiteral trainable = "chimera.trainable";
/// [{layer, mode, name, type}]: the caches, in the order of the phases' arguments.
inline constexpr llvm::StringLiteral caches = "chimera.caches";
/// [{parameters, format, panel, group, interleaved, bytes}]: packed weights, by number; interleaved may be absent.
inline constexpr llvm::StringLiteral packed = "chimera.packed";
/// [layer]: the layers in which no mode can be forced.
inline constexpr llvm::StringLiteral unforcedLayers = "chimera.unforced_layers";
/// The entries that a block of a target's caches has.
inline constexpr llvm::StringLiteral cacheBlock = "chimera.cache_block";

// Of a function.

/// array<i64: rows, sequences>: the most that one step holds. What has it is a phase or a training program.
inline constexpr llvm::StringLiteral limits = "chimera.limits";
/// It is a training program: it has results by name, no caches, and what training keeps of parameters.
inline constexpr llvm::StringLiteral training = "chimera.training";
/// Its loss is to be differentiated by the parameters.
inline constexpr llvm::StringLiteral differentiate = "chimera.differentiate";
/// Its routing is soft: every row goes through every mixer.
inline constexpr llvm::StringLiteral soft = "chimera.soft";
/// No sequence of a step has more than one row.
inline constexpr llvm::StringLiteral singleRows = "chimera.single_rows";

// Of a function's arguments and results.

/// The array of the step that an argument is: tokens, rows, outputs, forced; in training targets, noise, hyper, prices,
/// leaves.
inline constexpr llvm::StringLiteral step = "chimera.step";
/// {layer, mode, name}: what a cache argument is for.
inline constexpr llvm::StringLiteral cache = "chimera.cache";
/// A training program's result: loss, statistics.I, modes, norm.
inline constexpr llvm::StringLiteral result = "chimera.result";
/// The parameter whose gradient a result is.
inline constexpr llvm::StringLiteral gradient = "chimera.gradient";

// Of an op.

/// The layer that it belongs to, for profiles; absent outside layers.
inline constexpr llvm::StringLiteral layer = "chimera.layer";
/// It is computed again in the backward half; the number keeps equal ops apart.
inline constexpr llvm::StringLiteral recomputed = "chimera.recomputed";

} // namespace attrs

/// The most rows and sequences of a step.
struct StepBounds {
  int64_t tokens, seqs;
};

/// A function's chimera.limits; none without the attribute.
std::optional<StepBounds> stepBoundsOf(mlir::Operation *function);

/// The chimera.step of a function's argument; empty without one.
llvm::StringRef stepNameOf(mlir::Operation *function, unsigned argument);

/// The layer that an op belongs to by its chimera.layer; -1: none.
int64_t layerOf(mlir::Operation *op);

/// Makes `op` one of `layer`; -1: of none.
void setLayer(mlir::Operation *op, int64_t layer);

} // namespace chimera::ir

#endif // CHIMERA_DIALECT_IR_ATTRIBUTES_H
