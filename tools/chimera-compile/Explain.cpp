// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-compile/Explain.h"
#include "dialect/frontend/Config.h"
#include "runtime/core/Quantised.h"
#include "runtime/io/Safetensors.h"
#include "runtime/text/Tokenizer.h"
#include "tools/chimera-compile/Options.h"
#include "tools/support/Streams.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <filesystem>
#include <map>

namespace chimera::compile {

namespace filesystem = std::filesystem;

namespace {

llvm::Error fault(const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), what);
}

/// A table of the keys in aligned columns, under the name of their file.
void printKeys(const std::string &file, const KeyLog &log) {
  size_t keyWidth = 0, valueWidth = 0;
  for (const KeyLog::Entry &entry : log.entries()) {
    keyWidth = std::max(keyWidth, printable(entry.key).size());
    valueWidth = std::max(valueWidth, entry.value.size());
  }
  auto padded = [](std::string text, size_t width) {
    text.resize(std::max(text.size(), width), ' ');
    return text;
  };
  llvm::outs() << file << "\n";
  for (const KeyLog::Entry &entry : log.entries())
    llvm::outs() << "  " << padded(printable(entry.key), keyWidth) << "  " << padded(entry.value, valueWidth) << "  "
                 << describe(entry) << "\n";
}

/// The names in a folder that end like weights which other programs read.
std::string otherWeights(const std::string &folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (filesystem::directory_iterator at(folder, ignored), end; !ignored && at != end; at.increment(ignored)) {
    std::string ending = at->path().extension().string();
    for (const char *known : {".bin", ".pt", ".pth", ".ckpt", ".gguf", ".safetensors"})
      if (ending == known)
        names.push_back(printable(at->path().filename().string()));
  }
  std::sort(names.begin(), names.end());
  std::string list;
  for (const std::string &name : names)
    list += (list.empty() ? "" : ", ") + name;
  return list;
}

/// "3 tensors: 2 bf16, 1 f32".
std::string contentOf(const io::Checkpoint &checkpoint) {
  std::map<std::string, size_t> counts;
  for (const auto &tensor : checkpoint.tensors())
    ++counts[io::nameOf(tensor.second.dtype)];
  std::string text =
      std::to_string(checkpoint.tensors().size()) + (checkpoint.tensors().size() == 1 ? " tensor" : " tensors");
  const char *before = ": ";
  for (const auto &[dtype, count] : counts) {
    text += before + std::to_string(count) + " " + dtype;
    before = ", ";
  }
  return text;
}

/// What lies there for chimera-run's --weights.
std::string describeWeights(const std::string &folder, const Config *config) {
  std::error_code ignored;
  std::string name;
  for (const char *known : {"model.safetensors", "model.safetensors.index.json"})
    if (name.empty() && filesystem::exists(filesystem::path(folder) / known, ignored))
      name = known;
  if (name.empty()) {
    std::string others = otherWeights(folder);
    return others.empty() ? "none" : "none that is read (model.safetensors or its index), but " + others;
  }
  io::Result<io::Checkpoint> checkpoint = io::Checkpoint::open(folder);
  if (!checkpoint)
    return name + ": refused: " + checkpoint.error().message;
  std::string text = name + ", " + contentOf(*checkpoint);
  if (!config)
    return text;
  for (const ParameterSpec &parameter : parameters(*config)) {
    if (std::string what = runtime::quantised(*checkpoint, parameter.source); !what.empty())
      return text + "; refused: tensor " + io::quote(parameter.source) + " " + what;
    const io::StoredTensor *tensor = checkpoint->find(parameter.source);
    if (!tensor && !parameter.optional)
      return text + "; refused: tensor " + io::quote(parameter.source) + " is missing";
    if (tensor && tensor->shape != parameter.sourceShape)
      return text + "; refused: tensor " + io::quote(parameter.source) + " has shape " + io::shapeText(tensor->shape) +
             ", the model needs " + io::shapeText(parameter.sourceShape);
  }
  return text;
}

std::string describeTokenizer(const std::string &folder) {
  std::optional<std::string> found = text::findTokenizer(folder);
  if (!found)
    return "none";
  std::string name = filesystem::path(*found).filename().string();
  io::Result<std::unique_ptr<text::Tokenizer>> tokenizer = text::Tokenizer::open(*found);
  return tokenizer ? name : name + ": refused: " + tokenizer.error().message;
}

/// The config of options.input; a stream has nothing beside it.
io::Result<ConfigText> readInput(const Options &options) {
  std::string path = options.readsStandardInput ? tools::standardInput : options.input;
  if (!tools::isStream(path))
    return readConfigText(path);
  io::Result<std::string> text = tools::readAll(path);
  if (!text)
    return text.error();
  return ConfigText{options.input, std::move(*text)};
}

/// Reads and explains the generation_config.json at `path`, where there is one; what is wrong with it, or nothing.
std::string explainGeneration(const std::string &path, Config config) {
  std::error_code ignored;
  if (!filesystem::exists(path, ignored))
    return {};
  io::Result<ConfigText> read = readConfigText(path);
  if (!read)
    return read.error().message;
  KeyLog log;
  std::string error = readGenerationConfig(read->text, read->path, config, &log);
  printKeys(path, log);
  return error;
}

} // namespace

llvm::Error explain(const Options &options) {
  if (llvm::StringRef(options.input).ends_with(".mlir"))
    return fault(options.input + ": --explain is about a config.json");
  io::Result<ConfigText> read = readInput(options);
  if (!read)
    return fault(read.error().message);
  KeyLog log;
  ConfigOrError parsed = parseConfig(read->text, read->path, &log);
  const Config *config = std::get_if<Config>(&parsed);
  printKeys(read->path, log);
  std::string error = config ? std::string() : std::get<std::string>(parsed);
  if (!tools::isStream(options.readsStandardInput ? tools::standardInput : options.input)) {
    filesystem::path folder = filesystem::path(read->path).parent_path();
    if (folder.empty())
      folder = ".";
    // Without a config any id fits.
    Config any;
    any.vocabSize = abi::mostSize;
    std::string beside = explainGeneration((folder / "generation_config.json").string(), config ? *config : any);
    if (error.empty())
      error = beside;
    llvm::outs() << "beside it\n  weights    " << describeWeights(folder.string(), config) << "\n  tokenizer  "
                 << describeTokenizer(folder.string()) << "\n";
  }
  llvm::outs().flush();
  return error.empty() ? llvm::Error::success() : fault(error);
}

} // namespace chimera::compile
