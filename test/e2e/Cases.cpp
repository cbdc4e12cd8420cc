// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/e2e/Cases.h"

#include "test/support/Random.h"
#include "test/support/Subprocess.h"

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>

#include <unistd.h>

namespace chimera::test {

namespace fs = std::filesystem;

uint64_t baseSeed() {
  const char *text = std::getenv("CHIMERA_SEED");
  return text ? std::strtoull(text, nullptr, 10) : 1;
}

static ModelCase makeCase(const std::string &name, const std::string &configText, uint64_t seed) {
  Random random(seed);
  ModelCase modelCase{name, configText, seed, 0, 0, 0};
  // Three in ten run long, past the window or not; the others stay short, where most boundaries are.
  modelCase.length = static_cast<int>(random.chance(0.3) ? random.between(250, 300) : random.between(20, 70));
  modelCase.maxTokens = random.pick<int>({16, 37, 128, 512});
  modelCase.maxSeqs = random.pick<int>({2, 3, 8});
  return modelCase;
}

const std::vector<ModelCase> &modelCases() {
  static const std::vector<ModelCase> cases = [] {
    std::vector<ModelCase> made;
    Random random(baseSeed());
    uint64_t pairwiseSeed = random.next();
    for (const std::string &text : pairwiseConfigs(pairwiseSeed))
      made.push_back(makeCase("Pairwise" + std::to_string(made.size()), text, random.next()));
    size_t total = made.size() + (longMode() ? 60 : 4);
    while (made.size() < total) {
      uint64_t seed = random.next();
      made.push_back(makeCase("Random" + std::to_string(made.size()), randomConfig(seed), seed));
    }
    return made;
  }();
  return cases;
}

/// A directory for the binaries of this very compiler; those of earlier ones are removed.
static fs::path cacheDirectory() {
  fs::path compiler = CHIMERA_COMPILE_PATH;
  auto written = fs::last_write_time(compiler).time_since_epoch().count();
  fs::path root = CHIMERA_E2E_CACHE;
  fs::path directory = root / (std::to_string(written) + "-" + std::to_string(fs::file_size(compiler)));
  if (fs::exists(directory))
    return directory;
  fs::create_directories(directory);
  std::error_code ignored; // another process may be removing them as well
  for (const fs::directory_entry &entry : fs::directory_iterator(root, ignored))
    if (entry.path() != directory)
      fs::remove_all(entry.path(), ignored);
  return directory;
}

/// Runs chimera-compile on a file; throws what it says if it fails. Returns its standard output.
static std::string compileFile(const std::string &input, const std::vector<std::string> &options) {
  std::vector<std::string> command = {CHIMERA_COMPILE_PATH, input};
  command.insert(command.end(), options.begin(), options.end());
  ProcessResult result = runProcess(command);
  if (result.status == 0)
    return result.out;
  std::string line;
  for (const std::string &word : command)
    line += word + " ";
  throw std::runtime_error(line + ": " + result.describe() + "\n" + readFile(input).substr(0, 4000));
}

static std::vector<std::string> allOptions(const ModelCase &modelCase, const Build &build) {
  std::vector<std::string> options = compilerOptions(build);
  options.push_back("--max-tokens=" + std::to_string(modelCase.maxTokens));
  options.push_back("--max-seqs=" + std::to_string(modelCase.maxSeqs));
  return options;
}

std::string compileModel(const ModelCase &modelCase, const Build &build) {
  std::vector<std::string> options = allOptions(modelCase, build);
  std::string identity = modelCase.configText;
  for (const std::string &option : options)
    identity += " " + option;
  size_t key = std::hash<std::string>()(identity);
  fs::path binary = cacheDirectory() / (modelCase.name + "-" + buildName(build) + "-" + std::to_string(key) + ".chm");
  if (fs::exists(binary))
    return binary;

  // Several processes may be at it: each makes its own file and moves it into place.
  fs::path mine = binary.string() + "." + std::to_string(getpid());
  TemporaryDirectory directory;
  writeFile(directory.file("config.json"), modelCase.configText);
  options.insert(options.end(), {"-o", mine.string()});
  compileFile(directory.file("config.json"), options);
  fs::rename(mine, binary);
  return binary;
}

void compileIR(const std::string &ir, const ModelCase &modelCase, const Build &build, const std::string &binary) {
  TemporaryDirectory directory;
  writeFile(directory.file("model.mlir"), ir);
  std::vector<std::string> options = allOptions(modelCase, build);
  options.insert(options.end(), {"-o", binary});
  compileFile(directory.file("model.mlir"), options);
}

std::string modelIR(const ModelCase &modelCase, Precision precision) {
  TemporaryDirectory directory;
  writeFile(directory.file("config.json"), modelCase.configText);
  return compileFile(directory.file("config.json"),
                     {std::string("--dtype=") + precisionName(precision), "--emit=chimera"});
}

std::vector<int> randomTokens(int count, int64_t bound, uint64_t seed) {
  Random random(seed);
  std::vector<int> tokens;
  for (int i = 0; i < count; ++i)
    tokens.push_back(static_cast<int>(random.below(bound)));
  return tokens;
}

} // namespace chimera::test
