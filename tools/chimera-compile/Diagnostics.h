// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// MLIR's diagnostics as one line.
#ifndef CHIMERA_TOOLS_CHIMERACOMPILE_DIAGNOSTICS_H
#define CHIMERA_TOOLS_CHIMERACOMPILE_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/Error.h"
#include <string>

namespace chimera::compile {

/// While it lives, keeps the first error that a context reports (later ones and notes only explain it); warnings go to
/// standard error, a line each.
class FirstDiagnostic {
public:
  /// `input` stands where an error has no place of its own.
  FirstDiagnostic(mlir::MLIRContext *context, std::string input);

  /// The error as "file:line:column: what", or `otherwise` if the context reported none.
  llvm::Error takeError(const std::string &otherwise);

private:
  std::string input;
  std::string message;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace chimera::compile

#endif // CHIMERA_TOOLS_CHIMERACOMPILE_DIAGNOSTICS_H
