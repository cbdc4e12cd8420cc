// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-compile/Input.h"
#include "dialect/IR/Attributes.h"
#include "dialect/frontend/BuildModel.h"
#include "dialect/frontend/DropModes.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "runtime/io/FileKind.h"
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

using Buffer = std::unique_ptr<llvm::MemoryBuffer>;

/// Leaves out what --drop-modes says, and tells it on the standard error.
llvm::Error dropUnused(Config &config, const Options &options) {
  if (!options.dropModes)
    return llvm::Error::success();
  io::Result<ModeCounts> counts = countModes(*options.dropModes, config);
  if (!counts)
    return fault(counts.error().message);
  std::vector<std::string> lines = dropModes(config, *counts, options.dropShare);
  if (lines.empty())
    lines.push_back("--drop-modes: every mode is taken, none is dropped");
  for (const std::string &line : lines)
    llvm::errs() << "note: " << line << "\n";
  return llvm::Error::success();
}

llvm::Expected<ModuleRef> fromConfig(mlir::MLIRContext &context, const Options &options, const ConfigOrError &config) {
  if (const std::string *message = std::get_if<std::string>(&config))
    return fault(*message);
  FirstDiagnostic diagnostics(&context, options.input);
  DType dtype = options.dtype ? dtypeFromName(*options.dtype).value_or(DType::F32) : DType::F32;
  Config read = std::get<Config>(config);
  if (llvm::Error error = dropUnused(read, options))
    return error;
  ModuleRef module = buildModel(context, read, dtype);
  if (!module || mlir::failed(mlir::verify(*module)))
    return diagnostics.takeError("no model can be built from this config");
  return module;
}

llvm::Expected<Buffer> readText(const Options &options) {
  // Not mapped: a file that is cut while it is mapped would end the process.
  auto buffer = options.readsStandardInput
                    ? llvm::MemoryBuffer::getSTDIN()
                    : llvm::MemoryBuffer::getFile(options.input, /*IsText=*/false, /*RequiresNullTerminator=*/true,
                                                  /*IsVolatile=*/true);
  if (!buffer)
    return fault(options.input + ": " + buffer.getError().message());
  llvm::StringRef text = (*buffer)->getBuffer();
  if (text.trim().empty())
    return fault(options.input + ": is empty; give a config.json or the text of a .mlir file");
  if (std::string kind = io::mistakenFile(io::Wanted::Config, text.data(), text.size()); !kind.empty())
    return fault(options.input + ": " + kind);
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

/// Bytecode is refused, as only the text form is guarded.
llvm::Expected<ModuleRef> fromIR(mlir::MLIRContext &context, const Options &options, Buffer buffer) {
  if (options.dropModes)
    return fault(options.input + ": --drop-modes is for a config: IR says itself which modes a layer has");
  llvm::StringRef text = buffer->getBuffer();
  if (text.starts_with("ML\xefR"))
    return fault(options.input + ": MLIR bytecode is not read; give the text form");
  if (llvm::Error error = checkText(text, options.input))
    return error;
  FirstDiagnostic diagnostics(&context, options.input, FirstDiagnostic::OnError::Exit);
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  ModuleRef module = mlir::parseSourceFile<mlir::ModuleOp>(sources, &context);
  if (!module)
    return diagnostics.takeError("not a module");
  if (llvm::Error error = checkDType(*module, options))
    return error;
  return module;
}

/// A config is a JSON object; IR begins otherwise, but for the "{-#" of its resources.
llvm::Expected<ModuleRef> fromStream(mlir::MLIRContext &context, const Options &options) {
  auto buffer = readText(options);
  if (!buffer)
    return buffer.takeError();
  llvm::StringRef text = (*buffer)->getBuffer(), begin = text.ltrim();
  if (begin.starts_with("{") && !begin.starts_with("{-#"))
    return fromConfig(context, options, parseConfig(text, options.input));
  return fromIR(context, options, std::move(*buffer));
}

} // namespace

llvm::Expected<ModuleRef> loadModel(mlir::MLIRContext &context, const Options &options) {
  if (options.readsStandardInput)
    return fromStream(context, options);
  llvm::sys::fs::file_status status;
  if (std::error_code error = llvm::sys::fs::status(options.input, status))
    return fault(options.input + ": " + error.message());
  llvm::StringRef name = options.input;
  if (llvm::sys::fs::is_directory(status))
    return fromConfig(context, options, readConfig(options.input));
  if (!llvm::sys::fs::is_regular_file(status))
    return fromStream(context, options);
  if (name.ends_with(".json"))
    return fromConfig(context, options, readConfig(options.input));
  if (!name.ends_with(".mlir"))
    return fault(options.input + ": neither a model directory nor a .json or .mlir file");
  auto buffer = readText(options);
  if (!buffer)
    return buffer.takeError();
  return fromIR(context, options, std::move(*buffer));
}

} // namespace chimera::compile
