// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/Link.h"
#include "codegen/binary/Manifest.h"
#include "codegen/binary/Object.h"
#include "codegen/binary/OutputPipe.h"
#include "codegen/binary/UnnamedFile.h"
#include "lld/Common/Driver.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/xxhash.h"
#include <mutex>

LLD_HAS_DRIVER(elf)

namespace chimera::binary {

namespace {

constexpr llvm::StringLiteral manifestSection = ".chimera.manifest";
constexpr llvm::StringLiteral trailerMagic = "CHIMERA1";

llvm::Error fault(const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), what);
}

/// lld's first complaint, without its own name and the temporary paths that follow.
std::string firstLine(llvm::StringRef messages) {
  llvm::StringRef line = messages.ltrim().split('\n').first;
  line.consume_front("ld.lld: ");
  line.consume_front("error: ");
  return line.str();
}

/// Runs lld. One call at a time: its state is global.
llvm::Error runLinker(llvm::ArrayRef<std::string> inputs, const std::string &output) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  std::vector<const char *> arguments = {
      "ld.lld", "-shared", "-z", "defs", "--build-id=none", "--no-eh-frame-hdr", "--hash-style=gnu", "--threads=1",
      // The output is a pipe.
      "--no-mmap-output-file", "-z", "max-page-size=4096", "-z", "noexecstack", "-o", output.c_str()};
  for (const std::string &input : inputs)
    arguments.push_back(input.c_str());
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  // Lets a fatal error of lld come back here instead of ending the process. It stays enabled: a caller may rely on it
  // too.
  llvm::CrashRecoveryContext::Enable();
  lld::Result result = lld::lldMain(arguments, stream, stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0 || !result.canRunAgain)
    return fault("cannot link the kernels: " + firstLine(messages));
  return llvm::Error::success();
}

} // namespace

std::string trailer(llvm::StringRef elf) {
  llvm::XXH128_hash_t digest = llvm::xxh3_128bits(llvm::arrayRefFromStringRef(elf));
  char bytes[32];
  std::copy(trailerMagic.begin(), trailerMagic.end(), bytes);
  llvm::support::endian::write64le(bytes + 8, elf.size());
  llvm::support::endian::write64be(bytes + 16, digest.high64);
  llvm::support::endian::write64be(bytes + 24, digest.low64);
  return std::string(bytes, sizeof(bytes));
}

llvm::Error checkFreestanding(llvm::StringRef elf) {
  using File = llvm::object::ELFObjectFile<llvm::object::ELF64LE>;
  auto object = File::create(llvm::MemoryBufferRef(elf, "model binary"));
  if (!object)
    return object.takeError();
  for (const llvm::object::ELFSymbolRef symbol : object->getDynamicSymbolIterators()) {
    auto flags = symbol.getFlags();
    if (!flags)
      return flags.takeError();
    auto name = symbol.getName();
    if (!name)
      return name.takeError();
    if (*flags & llvm::object::SymbolRef::SF_Undefined && !name->empty())
      return fault("the kernels need the symbol '" + *name + "', which no model binary has");
  }
  auto entries = object->getELFFile().dynamicEntries();
  if (!entries)
    return entries.takeError();
  for (const auto &entry : *entries)
    switch (entry.getTag()) {
    case llvm::ELF::DT_NEEDED:
      return fault("the kernels need a library");
    case llvm::ELF::DT_INIT:
    case llvm::ELF::DT_INIT_ARRAY:
    case llvm::ELF::DT_FINI:
    case llvm::ELF::DT_FINI_ARRAY:
      return fault("the kernels have an initialiser or finaliser");
    default:
      break;
    }
  return llvm::Error::success();
}

llvm::Expected<std::string> linkModelBinary(llvm::ArrayRef<std::string> objects, llvm::StringRef manifestJson) {
  auto manifestObject = dataObject(manifestSection, manifestJson);
  if (!manifestObject)
    return manifestObject.takeError();
  std::vector<UnnamedFile> files;
  std::vector<std::string> inputs;
  auto add = [&](const std::string &name, llvm::StringRef content) -> llvm::Error {
    auto file = UnnamedFile::create(name, content);
    if (!file)
      return file.takeError();
    inputs.push_back(file->path());
    files.push_back(std::move(*file));
    return llvm::Error::success();
  };
  for (auto [index, object] : llvm::enumerate(objects))
    if (llvm::Error error = add("kernels" + std::to_string(index) + ".o", object))
      return error;
  if (llvm::Error error = add("manifest.o", *manifestObject))
    return error;
  OutputPipe output;
  if (llvm::Error error = output.open())
    return error;
  if (llvm::Error error = runLinker(inputs, output.path()))
    return error;
  std::string bytes = output.take();
  if (llvm::Error error = checkFreestanding(bytes))
    return error;
  return bytes + trailer(bytes);
}

llvm::Expected<std::string> modelBinary(mlir::ModuleOp kernels, const Manifest &manifest) {
  if (llvm::Error error = validate(manifest))
    return error;
  if (manifest.variants.size() != 1)
    return fault("manifest: variants: one module of kernels is for one");
  const Variant &only = manifest.variants.front();
  auto variant = isaVariant(only.name);
  if (!variant)
    return variant.takeError();
  if (variant->features != only.features)
    return fault("manifest: features: not those of " + only.name);
  Manifest complete = manifest;
  auto object = compileKernels(kernels, kernelSymbols(only), *variant, CodeFormat::Object, /*suffix=*/"",
                               &complete.variants.front().stackBytes);
  if (!object)
    return object.takeError();
  return linkModelBinary(*object, toJson(complete));
}

} // namespace chimera::binary
