// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/Options.h"

#include "tools/support/ByteCount.h"
#include "tools/support/CommandLine.h"
#include "tools/support/Numbers.h"

#include <CLI/CLI.hpp>

namespace chimera::bench {

namespace {
/// Values that are checked after the parse.
struct RawOptions {
  bool randomWeights = false;
  std::string seed = "0", fractions, format = "table";
  std::optional<std::string> memoryLimit;
};
} // namespace

static constexpr int64_t mostTokens = int64_t(1) << 24;

static void addWorkOptions(CLI::App &app, Options &options, RawOptions &raw) {
  auto list = [&](const char *name, std::vector<int64_t> &values, int64_t least, int64_t most, const char *text) {
    app.add_option(name, values, text)->delimiter(',')->check(tools::wholeNumber(least, most))->group("Work");
  };
  list("--prefill", options.prefill, 1, mostTokens, "prompt lengths; without it and --decode-context: 512");
  list("--decode-context", options.decodeContexts, 0, mostTokens,
       "tokens in the caches before the first decoded one; without it and --prefill: 0");
  list("--batch", options.batches, 1, 65536, "numbers of sequences; without it 1");
  app.add_option("--decode-tokens", options.decodeTokens, "tokens to decode for each sequence in a run")
      ->check(tools::wholeNumber(1, mostTokens))
      ->capture_default_str()
      ->group("Work");
  app.add_option("--fractions", raw.fractions,
                 "force modes, drawn with these shares (ssm=.6,swa=.2,full=.1,identity=.1), renormalised over each "
                 "layer's modes; without it the router decides")
      ->group("Work");
}

static void addMeasureOptions(CLI::App &app, Options &options, RawOptions &raw) {
  app.add_option("--repeats", options.repeats, "timed runs")
      ->check(tools::wholeNumber(1, 100000))
      ->capture_default_str()
      ->group("Measurement");
  app.add_option("--warmup", options.warmup, "runs before them that do not count")
      ->check(tools::wholeNumber(0, 100000))
      ->capture_default_str()
      ->group("Measurement");
  app.add_option("--threads", options.threads, "worker threads; without it as many as the process may use CPUs")
      ->check(tools::wholeNumber(1, 1024))
      ->group("Measurement");
  app.add_option("--memory-limit", raw.memoryLimit,
                 "the most memory for the caches: a number of bytes, or of K, M or G (1024); without it what the "
                 "process may use")
      ->group("Measurement");
  app.add_flag("--profile", options.profile, "one more run of each, with the time of every launch")
      ->group("Measurement");
  app.add_option("--trace", options.trace, "write that run as a time line: Chrome's trace format (JSON)")
      ->group("Measurement");
  app.add_flag("--peers", options.peers,
               "also run what is installed of llama.cpp (llama-bench) and PyTorch (python3) on a dense Transformer of "
               "the same shapes")
      ->group("Measurement");
  app.add_option("--format", raw.format, "table, csv or json")
      ->check(CLI::IsMember({"table", "csv", "json"}).description(""))
      ->capture_default_str()
      ->group("Output");
  app.add_option("--output", options.output, "write to this file instead of the standard output")->group("Output");
}

/// Takes over what needs more than CLI11's checks.
static io::Status finish(const RawOptions &raw, Options &options) {
  if (options.weights.empty() && !raw.randomWeights)
    return io::Error{"one of --weights and --random-weights is required"};
  io::Result<uint64_t> seed = tools::parseSeed(raw.seed);
  if (!seed)
    return seed.error();
  options.seed = *seed;
  if (raw.memoryLimit) {
    io::Result<int64_t> bytes = tools::parseByteCount("--memory-limit", *raw.memoryLimit);
    if (!bytes)
      return bytes.error();
    options.memoryLimit = *bytes;
  }
  if (!raw.fractions.empty()) {
    io::Result<inspect::Fractions> fractions = inspect::parseFractions(raw.fractions);
    if (!fractions)
      return io::Error{"--fractions: " + fractions.error().message};
    options.fractions = *fractions;
  }
  if (!options.output.empty() && options.output == options.trace)
    return io::Error{"--output and --trace name the same file"};
  options.format = raw.format == "json" ? Format::Json : raw.format == "csv" ? Format::Csv : Format::Table;
  if (options.prefill.empty() && options.decodeContexts.empty()) {
    options.prefill = {512};
    options.decodeContexts = {0};
  }
  return {};
}

std::variant<Options, int> parseOptions(int argc, char **argv) {
  Options options;
  RawOptions raw;
  CLI::App app("Measures a compiled model: prefill and decode speed, beside what the machine can do.", "chimera-bench");
  app.set_version_flag("--version", "chimera-bench " CHIMERA_VERSION);
  app.add_option("model", options.model, "the model binary (model.chm)")->required();
  CLI::Option *weights = app.add_option(
      "--weights", options.weights,
      "the checkpoint: a .safetensors file, an index (.json) of shards, or a directory that holds either");
  app.add_flag("--random-weights", raw.randomWeights, "make weights up instead")->excludes(weights);
  app.add_option("--seed", raw.seed, "of weights, tokens and forced modes: 0 .. 2^64-1")->capture_default_str();
  addWorkOptions(app, options, raw);
  addMeasureOptions(app, options, raw);
  if (std::optional<int> ended = tools::parseCommandLine(app, argc, argv))
    return *ended;
  if (io::Status status = finish(raw, options); !status)
    return tools::misuse(app.get_name(), status.error().message);
  return options;
}

} // namespace chimera::bench
