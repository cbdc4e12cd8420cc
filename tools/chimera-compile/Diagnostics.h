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
  /// What happens at the first error: it is kept for takeError, or printed as "error: ..." and the process ends with
  /// status 1 right there. The latter is for MLIR's parser, which in version 19 may write to freed memory while it
  /// cleans up after an error (a value of one region that stood for another region's undefined name).
  enum class OnError { Keep, Exit };

  /// `input` stands where an error has no place of its own.
  FirstDiagnostic(mlir::MLIRContext *context, std::string input, OnError onError = OnError::Keep);

  /// The error as "file:line:column: what", or `otherwise` if the context reported none.
  llvm::Error takeError(const std::string &otherwise);

private:
  void take(mlir::Diagnostic &diagnostic);

  std::string input;
  OnError onError;
  std::string message;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace chimera::compile

#endif // CHIMERA_TOOLS_CHIMERACOMPILE_DIAGNOSTICS_H
