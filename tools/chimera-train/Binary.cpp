// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Binary.h"

#include "runtime/core/CpuFeatures.h"
#include "runtime/core/Executable.h"
#include "runtime/train/CheckpointFiles.h"
#include "tools/chimera-bench/Process.h"
#include "tools/chimera-train/Signals.h"

#include <filesystem>
#include <vector>

namespace chimera::train {

namespace filesystem = std::filesystem;
using runtime::Error;

static std::string compilerPath() {
  return runtime::executableFolder() + "chimera-compile";
}

/// What the compiler is asked for, but for input and output.
static std::vector<std::string> compilerOptions(const Options &options, int ranks) {
  int64_t sequences = (options.batch + ranks - 1) / ranks;
  std::vector<std::string> list = {"--phases=train", "--target=" + options.target, "--dtype=" + options.dtype,
                                   "--max-tokens=" + std::to_string(sequences * options.length),
                                   "--max-seqs=" + std::to_string(sequences)};
  if (!options.mcpu.empty())
    list.push_back("--mcpu=" + options.mcpu);
  if (!options.memoryLimit.empty())
    list.push_back("--memory-limit=" + options.memoryLimit);
  return list;
}

/// What the compiler chooses an ISA by, where it is to choose; else nothing.
static std::string machineText(const Options &options) {
  std::string text;
  if (options.target != "cpu" || (!options.mcpu.empty() && options.mcpu.find("native") == std::string::npos))
    return text;
  for (const std::string &feature : runtime::cpuFeatures())
    for (const char *family : {"avx", "amx", "fma", "f16c", "bmi"})
      if (feature.rfind(family, 0) == 0)
        text += "\n" + feature;
  return text;
}

runtime::Result<std::string> binaryPath(const Options &options, const std::string &config, int ranks) {
  int64_t sequences = (options.batch + ranks - 1) / ranks;
  if (sequences > mostSequences || sequences * options.length > mostTokens)
    return Error("--batch: " + std::to_string(sequences) + " sequences of " + std::to_string(options.length) +
                 " tokens on each rank are more than the " + std::to_string(mostTokens) + " tokens or " +
                 std::to_string(mostSequences) + " sequences of a micro-step; --accumulate takes them in several");
  std::string key = config;
  for (const std::string &option : compilerOptions(options, ranks))
    key += "\n" + option;
  std::error_code code;
  std::string compiler = compilerPath();
  auto size = filesystem::file_size(compiler, code);
  auto time = filesystem::last_write_time(compiler, code);
  if (code)
    return Error("the compiler " + io::quote(compiler) + ": " + code.message());
  key += "\n" + std::to_string(size) + "\n" + std::to_string(time.time_since_epoch().count()) + machineText(options);
  return options.out + "/train-" + digestText(key).substr(0, 16) + ".chm";
}

/// Runs the compiler. A signal to stop ends it, and it then leaves nothing.
static runtime::Failure runCompiler(const Options &options, const std::string &path, int ranks) {
  std::vector<std::string> command = {compilerPath(), options.model, "-o", path};
  for (const std::string &option : compilerOptions(options, ranks))
    command.push_back(option);
  io::Result<bench::ProcessOutput> result = bench::runProcess(command, stopDescriptor());
  if (runtime::Failure stopped = stoppedBeforeStart())
    return stopped;
  if (!result)
    return Error(result.error());
  if (result->status != 0)
    return Error("chimera-compile: " + io::escaped(result->lastError()));
  return std::nullopt;
}

runtime::Result<std::shared_ptr<const runtime::Model>>
makeBinary(const Options &options, const std::string &path, int ranks,
           const std::function<void(const std::string &)> &warn) {
  std::error_code ignored;
  if (filesystem::exists(path, ignored)) {
    runtime::Result<std::shared_ptr<const runtime::Model>> found = runtime::Model::load(path);
    if (found)
      return found;
    warn("the compiled programs cannot be used and are made again: " + found.error().message);
  }
  if (runtime::Failure failure = runCompiler(options, path, ranks))
    return *failure;
  return runtime::Model::load(path);
}

} // namespace chimera::train
