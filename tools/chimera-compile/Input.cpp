// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-compile/Input.h"
#include "dialect/IR/Attributes.h"
#include "dialect/frontend/BuildModel.h"
#include "dialect/frontend/Config.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "tools/chimera-compile/Diagnostics.h"
#include "tools/chimera-compile/Guard.h"
#include "tools/chimera-compile/Options.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

namespace chimera::compile {

using ModuleRef = mlir::OwningOpRef<mlir::ModuleOp>;

namespace {

llvm::Error fault(const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), what);
}

llvm::Expected<ModuleRef> fromConfig(mlir::MLIRContext &context, const Options &options) {
  ConfigOrError config = readConfig(options.input);
  if (const std::string *message = std::get_if<std::string>(&config))
    return fault(*message);
  FirstDiagnostic diagnostics(&context, options.input);
  DType dtype = options.dtype ? dtypeFromName(*options.dtype).value_or(DType::F32) : DType::F32;
  ModuleRef module = buildModel(context, std::get<Config>(config), dtype);
  if (!module || mlir::failed(mlir::verify(*module)))
    return diagnostics.takeError("no model can be built from this config");
  return module;
}

/// The file's text; bytecode is refused, as only the text form is guarded.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> readText(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return fault(path + ": " + buffer.getError().message());
  llvm::StringRef text = (*buffer)->getBuffer();
  if (text.starts_with("ML\xefR"))
    return fault(path + ": MLIR bytecode is not read; give the text form");
  if (llvm::Error error = checkText(text, path))
    return error;
  return std::move(*buffer);
}

/// The dtype that the IR says it has; the dialect holds it to that.
llvm::Error checkDType(mlir::ModuleOp module, const Options &options) {
  auto model = module->getAttrOfType<mlir::DictionaryAttr>(ir::attrs::model);
  if (!model)
    return fault(options.input + ": the module has no attribute 'chimera.model'");
  auto dtype = model.getAs<mlir::StringAttr>("dtype"); // verified to be there
  if (options.dtype && dtype.getValue() != *options.dtype)
    return fault(options.input + ": the model is " + dtype.getValue() + ", not " + *options.dtype);
  return llvm::Error::success();
}

llvm::Expected<ModuleRef> fromIR(mlir::MLIRContext &context, const Options &options) {
  auto buffer = readText(options.input);
  if (!buffer)
    return buffer.takeError();
  FirstDiagnostic diagnostics(&context, options.input, FirstDiagnostic::OnError::Exit);
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(*buffer), llvm::SMLoc());
  ModuleRef module = mlir::parseSourceFile<mlir::ModuleOp>(sources, &context);
  if (!module)
    return diagnostics.takeError("not a module");
  if (llvm::Error error = checkDType(*module, options))
    return error;
  return module;
}

} // namespace

llvm::Expected<ModuleRef> loadModel(mlir::MLIRContext &context, const Options &options) {
  llvm::sys::fs::file_status status;
  if (std::error_code error = llvm::sys::fs::status(options.input, status))
    return fault(options.input + ": " + error.message());
  llvm::StringRef name = options.input;
  if (llvm::sys::fs::is_directory(status) || name.ends_with(".json"))
    return fromConfig(context, options);
  if (name.ends_with(".mlir"))
    return fromIR(context, options);
  return fault(options.input + ": neither a model directory nor a .json or .mlir file");
}

} // namespace chimera::compile
