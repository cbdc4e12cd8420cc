// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// chimera-init: writes random initial weights for a config.json.
#include "dialect/frontend/Config.h"
#include "runtime/device/ThreadPool.h"
#include "runtime/train/InitialFile.h"
#include "tools/support/CommandLine.h"
#include "tools/support/Numbers.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <variant>

using namespace chimera;

namespace {

struct Options {
  std::string model;
  std::string output;
  uint64_t seed = 0;
  int64_t threads = 0; ///< 0: as many as the process may use CPUs.
};

int fail(const std::string &message) {
  std::fprintf(stderr, "chimera-init: %s\n", io::escaped(message).c_str());
  return 1;
}

/// With room for what the C library needs of the stack to write a file.
constexpr size_t jobStack = size_t(256) << 10;

runtime::Result<std::unique_ptr<runtime::ThreadPool>> makePool(int64_t threads) {
  return threads ? runtime::ThreadPool::create(threads, jobStack, runtime::Subnormals::Keep)
                 : runtime::ThreadPool::createForProcess(jobStack, runtime::Subnormals::Keep);
}

/// Makes every tensor, writes the file and says how big the model is.
int initialise(const Options &options) {
  ConfigOrError read = readConfig(options.model);
  if (auto *message = std::get_if<std::string>(&read))
    return fail(*message);
  InitialCheckpoint checkpoint = initialCheckpoint(std::get<Config>(read), options.seed);
  runtime::Result<std::unique_ptr<runtime::ThreadPool>> pool = makePool(options.threads);
  if (!pool)
    return fail(pool.error().message);
  if (io::Status written = writeInitialCheckpoint(options.output, checkpoint, options.seed, **pool); !written)
    return fail(written.error().message);
  uint64_t elements = 0;
  for (const InitialTensor &tensor : checkpoint.tensors)
    elements += tensor.elements();
  std::printf("%s: %zu tensors, %llu parameters, random (seed %llu)\n", options.output.c_str(),
              checkpoint.tensors.size(), static_cast<unsigned long long>(elements),
              static_cast<unsigned long long>(options.seed));
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Writes random initial weights, the same for the same seed, for the model that a config.json describes.",
               "chimera-init");
  app.add_option("model", options.model, "a config.json, or the model directory that holds it")->required();
  app.add_option("-o,--output", options.output, "the safetensors file to write")->required();
  std::string seed = "0";
  app.add_option("--seed", seed, "of the random numbers, 0 .. 2^64-1")->capture_default_str();
  app.add_option("--threads", options.threads, "worker threads; without it as many as the process may use CPUs")
      ->check(tools::wholeNumber(1, 1024));
  if (std::optional<int> ended = tools::parseCommandLine(app, argc, argv))
    return *ended;
  io::Result<uint64_t> parsed = tools::parseSeed(seed);
  if (!parsed)
    return tools::misuse(app.get_name(), parsed.error().message);
  options.seed = *parsed;
  try {
    return initialise(options);
  } catch (const std::bad_alloc &) {
    return fail(options.model + ": there is not enough memory for this model's weights");
  } catch (const std::exception &failure) {
    return fail(options.model + ": " + failure.what());
  }
}
