// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The chimera dialect: types, attributes, interfaces.

#ifndef CHIMERA_DIALECT_IR_DIALECT_H
#define CHIMERA_DIALECT_IR_DIALECT_H

#include "dialect/IR/PageLayout.h"

#include "mlir/IR/Attributes.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/Types.h"

#include <string>

namespace chimera::ir {

/// A slot pool of a cache type: an array over slots of `bytes` bytes each.
struct PoolInfo {
  std::string name;
  int64_t bytes;
};

/// Bytes of an element of a cache or tensor.
int64_t elementBytes(mlir::Type type);

/// The verifier of CacheOpInterface: the caches that `op` consumes have no other consuming use, and no read after it.
mlir::LogicalResult verifyCacheThreading(mlir::Operation *op);

} // namespace chimera::ir

namespace chimera {

/// Makes the dialect and what it needs known to `registry`.
void registerDialect(mlir::DialectRegistry &registry);

} // namespace chimera

#include "dialect/IR/ChimeraDialect.h.inc"
#include "dialect/IR/ChimeraEnums.h.inc"

#include "dialect/IR/ChimeraTypeInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/IR/ChimeraAttributes.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/IR/ChimeraTypes.h.inc"

#endif // CHIMERA_DIALECT_IR_DIALECT_H
