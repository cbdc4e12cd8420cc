// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// chimera-init: writes random initial weights for a config.json.
#include "dialect/frontend/Config.h"
#include "runtime/io/DType.h"
#include "runtime/io/Safetensors.h"
#include "runtime/train/Initialise.h"
#include "tools/support/CommandLine.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <map>
#include <new>
#include <string>
#include <variant>
#include <vector>

using namespace chimera;

namespace {

struct Options {
  std::string model;
  std::string output;
  uint64_t seed = 0;
};

int fail(const std::string &message) {
  std::fprintf(stderr, "chimera-init: %s\n", io::escaped(message).c_str());
  return 1;
}

/// Makes every tensor, writes the file and says how big the model is.
int initialise(const Options &options) {
  ConfigOrError read = readConfig(options.model);
  if (auto *message = std::get_if<std::string>(&read))
    return fail(*message);
  const auto &config = std::get<Config>(read);

  std::vector<InitialTensor> tensors = initialTensors(config, options.seed);
  int64_t elements = 0;
  for (const InitialTensor &tensor : tensors)
    elements += int64_t(tensor.values.size());
  std::vector<io::TensorView> views;
  views.reserve(tensors.size());
  for (const InitialTensor &tensor : tensors)
    views.push_back({tensor.name, io::DType::F32, tensor.shape, reinterpret_cast<const uint8_t *>(tensor.values.data()),
                     tensor.values.size() * sizeof(float)});
  std::map<std::string, std::string> metadata = {{"format", "pt"}, {"seed", std::to_string(options.seed)}};
  if (io::Status written = io::writeSafetensors(options.output, views, metadata); !written)
    return fail(written.error().message);
  std::printf("%s: %zu tensors, %lld parameters, random (seed %llu)\n", options.output.c_str(), tensors.size(),
              static_cast<long long>(elements), static_cast<unsigned long long>(options.seed));
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
