// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The gradients of the loss by the values of a program, as reverse-mode differentiation collects them.

#ifndef CHIMERA_DIALECT_IR_ADJOINTS_H
#define CHIMERA_DIALECT_IR_ADJOINTS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

namespace chimera::ir {

/// Collects, for each value, what its uses contribute to the gradient by it, and adds it up when it is asked for, which
/// must be after the last use has contributed. Contributions have the accumulators' element type.
class Adjoints {
public:
  /// `leaves`, `hyper`, `prices`: the step's arrays of those names.
  Adjoints(mlir::OpBuilder &builder, mlir::Value leaves, mlir::Value hyper, mlir::Value prices)
      : leaves(leaves), hyper(hyper), prices(prices), builder(builder) {}

  /// The gradient by `value`, made at the builder's place; null if nothing contributes.
  mlir::Value of(mlir::Value value);

  /// What several uses contribute to the gradient by a parameter, not added up; empty if nothing does.
  llvm::ArrayRef<mlir::Value> partsOf(mlir::Value parameter);

  /// A gradient of the value's own shape.
  void add(mlir::Value value, mlir::Value gradient) { contributions[value].whole.push_back(gradient); }
  /// One of the columns from `offset` on, of an [R, C] value.
  void addColumns(mlir::Value value, int64_t offset, mlir::Value gradient) {
    contributions[value].columns.push_back({offset, gradient});
  }
  /// One of the rows `to`, of a value that has one entry a row of `from`.
  void addGathered(mlir::Value value, mlir::Value gradient, mlir::Value to, mlir::Value from) {
    contributions[value].gathered.push_back({gradient, to, from});
  }
  /// One [to] of a column of a [batch, K] value.
  void addColumn(mlir::Value value, int64_t column, mlir::Value gradient, mlir::Value to) {
    contributions[value].single.push_back({column, gradient, to});
  }

  /// The sum by leaves of the rows of a matrix: the gradient by a vector that each of them is a part of.
  mlir::Value sumRows(mlir::Location loc, mlir::Value rows);

  const mlir::Value leaves, hyper, prices;

private:
  struct Gathered {
    mlir::Value gradient, to, from;
  };
  struct Single {
    int64_t column;
    mlir::Value gradient, to;
  };
  struct Contributions {
    llvm::SmallVector<mlir::Value> whole;
    llvm::SmallVector<std::pair<int64_t, mlir::Value>> columns;
    llvm::SmallVector<Gathered> gathered;
    llvm::SmallVector<Single> single;
  };
  void joinColumns(mlir::Value value, Contributions &all);
  void scatter(mlir::Value value, Contributions &all);
  void scatterColumns(mlir::Value value, Contributions &all);

  mlir::OpBuilder &builder;
  llvm::DenseMap<mlir::Value, Contributions> contributions;
};

} // namespace chimera::ir

#endif // CHIMERA_DIALECT_IR_ADJOINTS_H
