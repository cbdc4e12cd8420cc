// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dictionaries of known keys.

#ifndef CHIMERA_DIALECT_IR_ATTRIBUTE_KEYS_H
#define CHIMERA_DIALECT_IR_ATTRIBUTE_KEYS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"

#include <string>

namespace chimera::ir {

using EmitError = llvm::function_ref<mlir::InFlightDiagnostic()>;

/// Says what is wrong with a value ("must be in 0 .. 3, got 4"); nothing if it is right.
using CheckValue = std::string (*)(mlir::Attribute);

/// A key of a dictionary.
struct AttributeKey {
  llvm::StringLiteral name;
  CheckValue check;
  bool optional = false;
};

/// `attr` is a dictionary with these keys, all that are not optional and no others. `where` names it in the diagnostic.
mlir::LogicalResult checkKeys(EmitError emitError, llvm::StringRef where, mlir::Attribute attr,
                              llvm::ArrayRef<AttributeKey> keys);

/// `attr` is an array of such dictionaries.
mlir::LogicalResult checkKeysOfEach(EmitError emitError, llvm::StringRef where, mlir::Attribute attr,
                                    llvm::ArrayRef<AttributeKey> keys);

/// An i64 in low .. high.
std::string checkIntegerIn(mlir::Attribute attr, int64_t low, int64_t high);
template <int64_t low, int64_t high> std::string checkInteger(mlir::Attribute attr) {
  return checkIntegerIn(attr, low, high);
}

/// An f64 in low .. high, and not `low` itself if that is `open`.
std::string checkNumberIn(mlir::Attribute attr, double low, double high, bool open = false);

/// A string that is not empty and has no control characters.
std::string checkText(mlir::Attribute attr);
/// One of the strings.
std::string checkOneOf(mlir::Attribute attr, llvm::ArrayRef<const char *> names);
/// array<i64: ...>.
std::string checkIntegers(mlir::Attribute attr);
std::string checkUnit(mlir::Attribute attr);
std::string checkArray(mlir::Attribute attr);
std::string checkDictionary(mlir::Attribute attr);
std::string checkCacheMode(mlir::Attribute attr);
std::string checkDtype(mlir::Attribute attr);

} // namespace chimera::ir

#endif // CHIMERA_DIALECT_IR_ATTRIBUTE_KEYS_H
