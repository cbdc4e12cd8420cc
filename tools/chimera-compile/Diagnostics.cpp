// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-compile/Diagnostics.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"
#include <unistd.h>

namespace chimera::compile {

namespace {

/// Where, without MLIR's syntax for locations: "model.mlir:3:7", "layers.2"; empty if unknown.
std::string placeOf(mlir::Location location) {
  return llvm::TypeSwitch<mlir::LocationAttr, std::string>(location)
      .Case([](mlir::FileLineColLoc place) {
        return (place.getFilename().getValue() + ":" + llvm::Twine(place.getLine()) + ":" +
                llvm::Twine(place.getColumn()))
            .str();
      })
      .Case([](mlir::NameLoc place) { return place.getName().str(); })
      .Case([](mlir::CallSiteLoc place) { return placeOf(place.getCallee()); })
      .Case([](mlir::FusedLoc place) { return place.getLocations().empty() ? "" : placeOf(place.getLocations()[0]); })
      .Default([](mlir::LocationAttr) { return std::string(); });
}

std::string oneLine(mlir::Diagnostic &diagnostic, const std::string &input) {
  std::string place = placeOf(diagnostic.getLocation());
  std::string text = place.empty() ? input : place;
  if (!llvm::StringRef(text).starts_with(input))
    text = input + ": " + text;
  text += ": " + diagnostic.str();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

} // namespace

FirstDiagnostic::FirstDiagnostic(mlir::MLIRContext *context, std::string inputName, OnError onError)
    : input(std::move(inputName)), onError(onError), handler(context, [this](mlir::Diagnostic &diagnostic) {
        take(diagnostic);
        return mlir::success();
      }) {}

void FirstDiagnostic::take(mlir::Diagnostic &diagnostic) {
  if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Warning)
    llvm::errs() << "warning: " << oneLine(diagnostic, input) << "\n";
  if (diagnostic.getSeverity() != mlir::DiagnosticSeverity::Error || !message.empty())
    return;
  message = oneLine(diagnostic, input);
  if (onError == OnError::Keep)
    return;
  llvm::errs() << "error: " << message << "\n";
  ::_exit(1);
}

llvm::Error FirstDiagnostic::takeError(const std::string &otherwise) {
  std::string text = message.empty() ? input + ": " + otherwise : message;
  message.clear();
  return llvm::createStringError(llvm::inconvertibleErrorCode(), text);
}

} // namespace chimera::compile
