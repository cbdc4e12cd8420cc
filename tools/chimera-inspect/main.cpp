// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-inspect/Print.h"
#include "tools/support/CommandLine.h"
#include "tools/support/Numbers.h"
#include "tools/support/Streams.h"

#include <CLI/CLI.hpp>

#include <cstdio>

using namespace chimera;

namespace {
/// The command line.
struct Options {
  std::string model;
  bool summary = false, parameters = false, launches = false, json = false, memory = false;
  int64_t batch = 1, context = 4096;
  std::string fractions;
};
} // namespace

static int fail(int exitStatus, const std::string &message) {
  std::fprintf(stderr, "chimera-inspect: %s\n", message.c_str());
  return exitStatus;
}

static void addOptions(CLI::App &app, Options &options) {
  app.set_version_flag("--version", "chimera-inspect " CHIMERA_VERSION);
  app.add_option("model", options.model, "the model binary (model.chm); - is the standard input")->required();
  app.add_flag("--summary", options.summary, "what the model is, needs and holds; the default");
  app.add_flag("--parameters", options.parameters, "the parameters: dtype, shape, name");
  app.add_flag("--launches", options.launches, "the launch table of each phase");
  app.add_flag("--json", options.json, "the manifest as it is in the file");
  app.add_flag("--memory", options.memory,
               "cache bytes by layer and mode, beside a dense Transformer of the same size");
  auto *batch = app.add_option("--batch", options.batch, "with --memory: the number of sequences")
                    ->check(tools::wholeNumber(1, int64_t(1) << 40))
                    ->type_name("B")
                    ->capture_default_str();
  auto *context = app.add_option("--context", options.context, "with --memory: the tokens of each sequence")
                      ->check(tools::wholeNumber(1, int64_t(1) << 40))
                      ->type_name("T")
                      ->capture_default_str();
  auto *fractions = app.add_option("--fractions", options.fractions,
                                   "with --memory: the modes' shares of the tokens, ssm=.6,swa=.2,full=.1,identity=.1; "
                                   "else each layer's target");
  for (CLI::Option *option : {batch, context, fractions})
    option->needs("--memory");
}

static runtime::Result<runtime::ModelFile> readModel(const std::string &path) {
  if (!tools::isStream(path))
    return runtime::readModelFile(path);
  io::Result<std::string> bytes = tools::readAll(path);
  if (!bytes)
    return runtime::Error(bytes.error().message);
  return runtime::checkModelFile(tools::nameOfInput(path), {bytes->begin(), bytes->end()});
}

static int inspectModel(const Options &options, const std::optional<inspect::Fractions> &fractions) {
  auto file = readModel(options.model);
  if (!file)
    return fail(1, file.error().message);
  auto manifest = runtime::parseManifest(file->manifest(), file->name);
  if (!manifest)
    return fail(1, manifest.error().message);
  if (options.summary || !(options.parameters || options.launches || options.json || options.memory))
    inspect::printSummary(*file, *manifest);
  if (options.parameters)
    inspect::printParameters(*manifest);
  if (options.launches)
    inspect::printLaunches(*manifest);
  if (options.json) {
    std::fwrite(file->manifest().data(), 1, file->manifest().size(), stdout);
    std::fputc('\n', stdout);
  }
  if (options.memory)
    inspect::printMemory(*manifest, options.batch, options.context, fractions);
  io::Status written = tools::flush(stdout);
  return written ? 0 : fail(1, written.error().message);
}

int main(int argc, char **argv) {
  tools::keepStandardStreams();
  try {
    Options options;
    CLI::App app("Shows what is in a compiled model. Runs none of its code.", "chimera-inspect");
    addOptions(app, options);
    if (std::optional<int> ended = tools::parseCommandLine(app, argc, argv))
      return *ended;
    std::optional<inspect::Fractions> fractions;
    if (!options.fractions.empty()) {
      auto parsed = inspect::parseFractions(options.fractions);
      if (!parsed)
        return fail(2, "--fractions: " + parsed.error().message);
      fractions = *parsed;
    }
    return inspectModel(options, fractions);
  } catch (const std::bad_alloc &) {
    return fail(1, "out of memory");
  }
}
