// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Checkpoint.h"

#include "runtime/io/Affixes.h"
#include "runtime/io/Json.h"
#include "runtime/train/CheckpointFiles.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <unistd.h>

namespace chimera::train {

using nlohmann::json;
using runtime::Error;

namespace filesystem = std::filesystem;

// Names of folders. Those with a dot are on their way in or out.
static const std::string stepPrefix = "step-", writingPrefix = ".writing-", removedPrefix = ".removed-";
// Names of files.
static const std::string modelName = "model.safetensors", optimizerName = "optimizer.safetensors",
                         configName = "config.json", infoName = "checkpoint.json";
static constexpr int formatVersion = 1;

std::string Checkpoints::path(int64_t step) const {
  char number[32];
  std::snprintf(number, sizeof number, "%08lld", static_cast<long long>(step));
  return folder + "/" + stepPrefix + number;
}

/// The names in a folder; none if it is not there.
static std::vector<std::string> entries(const std::string &folder) {
  std::vector<std::string> names;
  std::error_code code;
  for (filesystem::directory_iterator at(folder, code), end; !code && at != end; at.increment(code))
    names.push_back(at->path().filename().string());
  return names;
}

std::vector<int64_t> Checkpoints::steps() const {
  std::vector<int64_t> found;
  for (const std::string &name : entries(folder)) {
    std::string digits = io::startsWith(name, stepPrefix) ? name.substr(stepPrefix.size()) : std::string();
    bool isNumber = digits.size() >= 8 && digits.size() <= 18 &&
                    digits.find_first_not_of("0123456789") == std::string::npos &&
                    (digits.size() == 8 || digits[0] != '0');
    if (isNumber)
      found.push_back(std::stoll(digits));
  }
  std::sort(found.begin(), found.end());
  return found;
}

static Result<json> parse(const std::string &text, const std::string &what) {
  io::Result<json> value = io::parseJson(text.data(), text.size());
  if (!value)
    return Error(what + ": " + value.error().message);
  return *value;
}

/// The text of checkpoint.json: one object, then a line with its digest.
static Result<std::string> infoText(const std::string &folder, const CheckpointInfo &info) {
  Result<json> identity = parse(info.identity, "the identity of the run");
  if (!identity)
    return identity.error();
  Result<json> progress = parse(info.progress, "the progress of the run");
  if (!progress)
    return progress.error();
  json object = {{"format", "chimera-checkpoint"}, {"version", formatVersion}, {"step", info.step},
                 {"identity", *identity},          {"progress", *progress},    {"files", json::object()}};
  for (const std::string &name : {modelName, optimizerName, configName}) {
    Result<json> description = describeFile(folder + "/" + name);
    if (!description)
      return description.error();
    object["files"][name] = *description;
  }
  std::string text = object.dump();
  return text + "\n" + digestText(text) + "\n";
}

/// Writes what was copied from the state's device, unless the device has failed, whose copies are zeros.
static Failure writeCopied(const State &state, const std::string &path, const std::vector<HostTensor> &tensors) {
  if (Failure failure = state.device().failure())
    return failure;
  return writeTensors(path, tensors);
}

static Failure writeFiles(const std::string &folder, const State &state, const CheckpointInfo &info) {
  if (Failure failure = makeFolder(folder))
    return failure;
  if (Failure failure = writeCopied(state, folder + "/" + modelName, state.tensors()))
    return failure;
  if (Failure failure = writeCopied(state, folder + "/" + optimizerName, state.optimizer()))
    return failure;
  if (Failure failure = writeText(folder + "/" + configName, info.config))
    return failure;
  Result<std::string> text = infoText(folder, info);
  if (!text)
    return text.error();
  if (Failure failure = writeText(folder + "/" + infoName, *text))
    return failure;
  return syncFolder(folder);
}

/// Removes a folder under another name first, so that half of it is never taken for a checkpoint.
static void removeCheckpoint(const std::string &folder, const std::string &path) {
  std::string hidden = folder + "/" + removedPrefix + filesystem::path(path).filename().string();
  std::error_code ignored;
  filesystem::remove_all(hidden, ignored);
  filesystem::rename(path, hidden, ignored);
  filesystem::remove_all(hidden, ignored);
}

void Checkpoints::removeUnfinished() const {
  std::error_code ignored;
  for (const std::string &name : entries(folder))
    if (io::startsWith(name, writingPrefix) || io::startsWith(name, removedPrefix))
      filesystem::remove_all(folder + "/" + name, ignored);
}

Failure Checkpoints::save(const State &state, const CheckpointInfo &info) const {
  if (Failure failure = makeFolder(folder))
    return failure;
  std::error_code ignored;
  removeUnfinished();
  std::string writing = folder + "/" + writingPrefix + std::to_string(getpid());
  Failure failure = writeFiles(writing, state, info);
  if (!failure)
    failure = placeFolder(writing, path(info.step));
  if (!failure)
    failure = syncFolder(folder);
  filesystem::remove_all(writing, ignored); // What failed, or what was replaced.
  if (failure)
    return failure;
  std::vector<int64_t> all = steps();
  for (size_t i = 0; i + size_t(std::max<int64_t>(keep, 1)) < all.size(); ++i)
    if (all[i] != info.step)
      removeCheckpoint(folder, path(all[i]));
  return std::nullopt;
}

/// checkpoint.json without its last line, which must be its digest.
static Result<json> readInfo(const std::string &path) {
  Result<std::string> text = readText(path);
  if (!text)
    return text.error();
  size_t end = text->find('\n');
  if (end == std::string::npos || text->substr(end) != "\n" + digestText(text->substr(0, end)) + "\n")
    return Error(io::quote(path) + ": damaged: its digest does not match");
  return parse(text->substr(0, end), io::quote(path));
}

Result<CheckpointInfo> readCheckpoint(const std::string &path) {
  std::string infoPath = path + "/" + infoName;
  Result<json> object = readInfo(infoPath);
  if (!object)
    return object.error();
  // The digest is right, so whatever else is wrong comes from another version.
  bool fits = object->is_object() && object->value("format", json()) == "chimera-checkpoint" &&
              object->value("version", json()) == formatVersion && object->contains("step") &&
              (*object)["step"].is_number_integer() && object->contains("identity") && object->contains("progress") &&
              object->contains("files") && (*object)["files"].is_object();
  if (!fits)
    return Error(io::quote(infoPath) + ": not a checkpoint of this version");
  for (const std::string &name : {modelName, optimizerName, configName}) {
    Result<json> description = describeFile(path + "/" + name);
    if (!description)
      return description.error();
    if ((*object)["files"].value(name, json()) != *description)
      return Error(io::quote(path + "/" + name) + ": damaged: its digest does not match");
  }
  Result<std::string> config = readText(path + "/" + configName);
  if (!config)
    return config.error();
  return CheckpointInfo{(*object)["step"].get<int64_t>(), *config, (*object)["identity"].dump(),
                        (*object)["progress"].dump()};
}

/// Refuses a checkpoint of another run, and tells of the differences that are none.
static Failure compareIdentity(const std::string &path, const std::string &found, const std::string &wanted,
                               const std::function<void(const std::string &)> &warn, const Tolerance &tolerance) {
  Result<std::vector<IdentityDifference>> differences = identityDifferences(found, wanted);
  if (!differences)
    return Error(io::quote(path) + ": " + differences.error().message);
  std::vector<std::string> told;
  for (const IdentityDifference &difference : *differences) {
    std::optional<std::string> text = tolerance ? tolerance(difference) : std::nullopt;
    if (!text)
      return Error(io::quote(path) + ": a checkpoint of another run: " + difference.text("there", "here"));
    told.push_back(*text);
  }
  for (const std::string &text : told)
    warn(text);
  return std::nullopt;
}

static Failure loadState(State &state, const std::string &path) {
  io::Result<io::Checkpoint> model = io::Checkpoint::open(path + "/" + modelName);
  if (!model)
    return Error(model.error());
  io::Result<io::Checkpoint> optimizer = io::Checkpoint::open(path + "/" + optimizerName);
  if (!optimizer)
    return Error(optimizer.error());
  if (Failure failure = state.load(*model))
    return failure;
  return state.loadOptimizer(*optimizer);
}

Result<std::optional<CheckpointInfo>> Checkpoints::loadNewest(State &state, const std::string &identity,
                                                              const std::function<void(const std::string &)> &warn,
                                                              const Tolerance &tolerance) const {
  std::vector<int64_t> all = steps();
  std::string newestError;
  for (auto step = all.rbegin(); step != all.rend(); ++step) {
    Result<CheckpointInfo> info = readCheckpoint(path(*step));
    if (!info) {
      if (newestError.empty())
        newestError = info.error().message;
      warn("passing over a checkpoint: " + info.error().message);
      continue;
    }
    if (Failure failure = compareIdentity(path(*step), info->identity, identity, warn, tolerance))
      return *failure;
    if (Failure failure = loadState(state, path(*step)))
      return *failure;
    return std::optional<CheckpointInfo>(std::move(*info));
  }
  if (!newestError.empty())
    return Error("no checkpoint of " + io::quote(folder) + " can be used; of the newest: " + newestError);
  return std::optional<CheckpointInfo>();
}

Failure writeModel(const State &state, const std::string &folder, const std::string &config) {
  if (Failure failure = makeFolder(folder))
    return failure;
  if (Failure failure = writeCopied(state, folder + "/" + modelName, state.tensors()))
    return failure;
  return writeText(folder + "/" + configName, config);
}

Failure writeGradients(const State &state, const std::string &path) {
  return writeCopied(state, path, state.gradients());
}

} // namespace chimera::train
