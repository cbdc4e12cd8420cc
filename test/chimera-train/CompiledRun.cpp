// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/chimera-train/CompiledRun.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace chimera::test {

using nlohmann::json;
namespace filesystem = std::filesystem;

CompiledRun::CompiledRun(const json &training, int steps, std::string target, const json &changes)
    : steps(steps), target(std::move(target)) {
  json config = {{"model_type", "chimera"},
                 {"vocab_size", 32},
                 {"hidden_size", 16},
                 {"num_hidden_layers", 2},
                 {"num_attention_heads", 2},
                 {"head_dim", 8},
                 {"intermediate_size", 32},
                 {"token_conv_kernel", 4},
                 {"window", 4},
                 {"ssm", {{"state_size", 4}, {"head_dim", 16}}},
                 {"training", training}};
  if (!changes.is_null())
    config.update(changes);
  writeFile(file("config.json"), config.dump());
}

std::vector<std::string> CompiledRun::command(const std::string &out, const std::vector<std::string> &more) const {
  std::vector<std::string> all = {CHIMERA_TRAIN, file("config.json"),
                                  "--data",      "mqar:pairs=2,keys=4",
                                  "--out",       file(out),
                                  "--steps",     std::to_string(steps),
                                  "--batch",     "8",
                                  "--seq",       "16",
                                  "--target",    target};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

ProcessResult CompiledRun::run(const std::string &out, const std::vector<std::string> &more) const {
  return runProcess(command(out, more), 300);
}

std::string CompiledRun::binaryOf(const std::string &out) const {
  for (const std::string &name : namesIn(file(out)))
    if (filesystem::path(name).extension() == ".chm")
      return name;
  throw std::runtime_error(file(out) + ": no compiled programs");
}

void CompiledRun::shareBinary(const std::string &from, const std::string &out) const {
  filesystem::create_directories(file(out));
  std::string name = binaryOf(from);
  filesystem::copy_file(file(from + "/" + name), file(out + "/" + name));
}

std::vector<json> CompiledRun::log(const std::string &out) const {
  std::vector<json> lines;
  std::istringstream text(readFile(file(out + "/log.jsonl")));
  for (std::string line; std::getline(text, line);)
    lines.emplace_back(json::parse(line)).erase("tokens_per_second");
  return lines;
}

std::string CompiledRun::difference(const std::string &one, const std::string &other) const {
  for (const char *name : {"/model.safetensors", "/config.json"})
    if (readFile(file(one + name)) != readFile(file(other + name)))
      return std::string(name) + " differs";
  std::string checkpoints = treeDifference(file(one + "/checkpoints"), file(other + "/checkpoints"));
  if (!checkpoints.empty())
    return "checkpoints: " + checkpoints;
  std::vector<json> left = log(one), right = log(other);
  for (size_t i = 0; i < std::max(left.size(), right.size()); ++i)
    if (i >= left.size() || i >= right.size() || left[i].dump() != right[i].dump())
      return "log.jsonl: line " + std::to_string(i + 1) + " differs";
  return "";
}

std::vector<std::string> namesIn(const std::string &folder) {
  std::vector<std::string> names;
  std::error_code code;
  for (filesystem::directory_iterator at(folder, code), end; !code && at != end; at.increment(code))
    names.push_back(at->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string treeDifference(const std::string &one, const std::string &other) {
  std::set<std::string> files;
  for (const std::string &root : {one, other})
    for (const auto &entry : filesystem::recursive_directory_iterator(root))
      if (!entry.is_directory())
        files.insert(filesystem::relative(entry.path(), root).string());
  for (const std::string &name : files) {
    std::string left = one + "/" + name, right = other + "/" + name;
    if (!filesystem::exists(left) || !filesystem::exists(right))
      return name + " is in one of them only";
    if (readFile(left) != readFile(right))
      return name + " differs";
  }
  return files.empty() ? "there are no files" : "";
}

} // namespace chimera::test
