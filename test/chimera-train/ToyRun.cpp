// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/chimera-train/ToyRun.h"

#include "runtime/core/ModelFile.h"
#include "test/runtime/TrainingToy.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <sstream>

namespace chimera::test {

using nlohmann::json;
namespace filesystem = std::filesystem;

/// The toy's binary as a file's bytes.
static std::string toyBinary() {
  std::string bytes = readFile(CHIMERA_TRAINING_TOY_F32);
  std::vector<uint8_t> elf(bytes.begin(), bytes.end());
  auto section = runtime::findSection({elf.data(), elf.size()}, ".chimera.manifest");
  std::string text = train::toy::manifest().dump();
  if (!section || text.size() > section->size)
    throw std::runtime_error("no section for the toy's manifest");
  uint8_t *to = elf.data() + (section->data - elf.data());
  std::memset(to, ' ', section->size);
  std::memcpy(to, text.data(), text.size());
  runtime::appendTrailer(elf);
  return std::string(elf.begin(), elf.end());
}

ToyRun::ToyRun() {
  writeFile(file("toy.chm"), toyBinary());
  filesystem::copy_file(CHIMERA_TRAIN, file("chimera-train"));
  // It says what it was asked for, and fails for a config that asks for it.
  writeFile(file("chimera-compile"), "#!/bin/sh\n"
                                     "echo \"$@\" >> " +
                                         file("compiled") +
                                         "\n"
                                         "if [ -e " +
                                         file("fail") +
                                         " ]; then echo 'error: it does not compile' >&2; exit 1; fi\n"
                                         "cp " +
                                         file("toy.chm") + " \"$3\"\n");
  for (const char *program : {"chimera-train", "chimera-compile"})
    filesystem::permissions(file(program), filesystem::perms::owner_all);
  filesystem::create_directory(file("model"));
  train::toy::writeInitial(file("model"));
  configure(json::object());
}

void ToyRun::configure(const json &training) const {
  json config = {{"model_type", "chimera"},
                 {"vocab_size", 11},
                 {"hidden_size", 4},
                 {"num_hidden_layers", 2},
                 {"num_attention_heads", 2},
                 {"head_dim", 2},
                 {"intermediate_size", 0},
                 {"modes", json::array({json::array({"ssm", "full"}), json::array({"full"})})},
                 {"ssm", {{"state_size", 2}, {"head_dim", 4}}},
                 {"training", training}};
  writeFile(file("model/config.json"), config.dump());
}

std::vector<std::string> ToyRun::command(const std::string &out, int steps,
                                         const std::vector<std::string> &more) const {
  std::vector<std::string> all = {file("chimera-train"),
                                  file("model"),
                                  "--data",
                                  "copy:data=2,symbols=3",
                                  "--out",
                                  file(out),
                                  "--steps",
                                  std::to_string(steps),
                                  "--batch",
                                  "4",
                                  "--seq",
                                  "8"};
  if (std::find(more.begin(), more.end(), "--threads") == more.end())
    all.insert(all.end(), {"--threads", "1"});
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

ProcessResult ToyRun::run(const std::string &out, int steps, const std::vector<std::string> &more) const {
  return runProcess(command(out, steps, more), 60);
}

std::vector<json> ToyRun::log(const std::string &out) const {
  std::vector<json> lines;
  std::istringstream text(content(out, "log.jsonl"));
  for (std::string line; std::getline(text, line);)
    lines.push_back(json::parse(line));
  return lines;
}

std::string ToyRun::content(const std::string &out, const std::string &name) const {
  return readFile(file(out + "/" + name));
}

void expectError(const ProcessResult &result, int status, const std::string &text) {
  EXPECT_EQ(result.status, status) << result.describe();
  EXPECT_EQ(countLines(result.err), 1) << result.err;
  EXPECT_NE(result.err.find(text), std::string::npos) << "wanted: " << text << "\ngot: " << result.err;
}

} // namespace chimera::test
