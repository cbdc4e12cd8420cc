// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/RunTokenizer.h"

#include "runtime/core/ProcessLimits.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/io/File.h"
#include "runtime/io/Vocabulary.h"
#include "runtime/text/SpecialTokens.h"
#include "runtime/text/Tokenizer.h"
#include "runtime/train/CheckpointFiles.h"
#include "runtime/train/data/TextEncoder.h"
#include "runtime/train/data/TokenBin.h"
#include "tools/chimera-train/Signals.h"

#include <filesystem>

namespace chimera::train {

namespace filesystem = std::filesystem;
using runtime::Error;
using runtime::Failure;
using runtime::Result;

static constexpr const char *jsonName = filesOfTokenizer[0], *modelName = filesOfTokenizer[1];

Result<std::optional<RunTokenizer>> RunTokenizer::find(const Options &options, const Config &model) {
  std::optional<RunTokenizer> none;
  if (options.tokenizer == "bytes")
    return none;
  RunTokenizer found(options);
  std::error_code ignored;
  if (options.tokenizer.empty() || filesystem::is_directory(options.tokenizer, ignored)) {
    std::string folder = options.tokenizer.empty() ? io::folderOf(options.model) : options.tokenizer;
    std::optional<std::string> file = text::findTokenizer(folder);
    if (!file && options.tokenizer.empty())
      return none;
    if (!file)
      return Error("--tokenizer: " + io::quote(folder) + ": holds neither " + jsonName + " nor " + modelName);
    found.path = *file;
  } else {
    found.path = options.tokenizer;
  }
  found.vocabulary = model.vocabSize;
  if (!model.eosTokenIds.empty())
    found.end = int32_t(model.eosTokenIds.front());
  if (Failure failure = found.describe())
    return *failure;
  return std::optional(std::move(found));
}

Failure RunTokenizer::describe() {
  Result<nlohmann::json> file = describeFile(path);
  if (!file)
    return file.error();
  io::Result<text::SpecialTokens> special = text::SpecialTokens::read(io::folderOf(path));
  if (!special)
    return Error(special.error());
  auto flag = [](const std::optional<bool> &value) { return value ? nlohmann::json(*value) : nlohmann::json(); };
  auto token = [](const std::optional<std::string> &value) { return value ? digestText(*value) : std::string(); };
  nlohmann::json parts = {*file, flag(special->addBegin), flag(special->addEnd), token(special->begin),
                          token(special->end)};
  content = digestText(parts.dump());
  return std::nullopt;
}

/// What is said of texts that take a while.
static std::string sizeText(uint64_t bytes) {
  return std::to_string((bytes + 500000) / 1000000) + " MB of text";
}

/// Whether a file of ids that is there is as long as it says.
static bool isWhole(const std::string &path) {
  io::Result<io::File> file = io::File::open(path);
  if (!file)
    return false;
  io::Result<bool> hasHeader = hasTokenHeader(*file);
  return hasHeader && *hasHeader;
}

Result<std::string> RunTokenizer::encode(const std::vector<std::string> &texts,
                                         const std::function<void(const std::string &)> &say) const {
  nlohmann::json key = {"1", content, vocabulary, options.parseSpecial, end ? *end : -1};
  uint64_t bytes = 0;
  for (const std::string &text : texts) {
    Result<nlohmann::json> described = describeFile(text);
    if (!described)
      return described.error();
    bytes += (*described)["bytes"].get<uint64_t>();
    key.push_back(*described);
  }
  std::string out = options.out + "/tokens-" + digestText(key.dump()).substr(0, 16) + ".bin";
  std::error_code ignored;
  if (filesystem::exists(out, ignored)) {
    if (isWhole(out))
      return out;
    say(io::quote(out) + ": is damaged and is made again");
  }
  constexpr uint64_t muchText = uint64_t(16) << 20;
  if (bytes >= muchText)
    say("encoding " + sizeText(bytes) + " with " + io::quote(path));
  io::Result<std::unique_ptr<text::Tokenizer>> tokenizer = text::Tokenizer::open(path);
  if (!tokenizer)
    return Error(tokenizer.error());
  TextEncoding how{tokenizer->get(), vocabulary, end, options.parseSpecial,
                   options.threads ? options.threads : runtime::usableCpus()};
  how.mayGoOn = []() -> io::Status {
    if (Failure stopped = stoppedBeforeStart())
      return io::Error{stopped->message};
    return {};
  };
  if (io::Status status = encodeTexts(texts, how, out); !status)
    return Error(status.error());
  return out;
}

std::string RunTokenizer::nameOfCopy() const {
  return filesystem::path(path).extension() == ".model" ? modelName : jsonName;
}

Failure RunTokenizer::checkOutput() const {
  std::error_code ignored;
  for (const std::string name : {jsonName, modelName}) {
    std::string there = options.out + "/" + name;
    if (!filesystem::exists(there, ignored))
      continue;
    // A tokenizer.json is taken before a tokenizer.model, which then may be anything.
    bool isOther = name != nameOfCopy() && name == jsonName;
    if (name == nameOfCopy() && !filesystem::equivalent(there, path, ignored)) {
      Result<nlohmann::json> theirs = describeFile(there), ours = describeFile(path);
      if (!theirs || !ours)
        return theirs ? ours.error() : theirs.error();
      isOther = *theirs != *ours;
    }
    if (isOther)
      return Error(io::quote(there) + ": is another tokenizer than the run's, " + io::quote(path) +
                   ", which would take its place; take another --out, or remove it");
  }
  return std::nullopt;
}

Failure RunTokenizer::copyFiles() const {
  const filesystem::path folder = io::folderOf(path);
  for (const std::string name : filesOfTokenizer) {
    if (name == jsonName && nameOfCopy() == modelName)
      continue;
    const filesystem::path from = name == nameOfCopy() ? filesystem::path(path) : folder / name;
    std::error_code ignored;
    std::string to = options.out + "/" + name;
    if (!filesystem::exists(from, ignored) || filesystem::equivalent(from, to, ignored))
      continue;
    Result<std::string> bytes = readText(from.string());
    if (!bytes)
      return bytes.error();
    if (Failure failure = writeText(to, *bytes))
      return failure;
  }
  return std::nullopt;
}

} // namespace chimera::train
