// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Options.h"

#include "tools/support/CommandLine.h"

#include <CLI/CLI.hpp>

namespace chimera::run {

/// Options that say nothing without another one.
static void needs(CLI::App &app, const char *other, std::initializer_list<const char *> names) {
  for (const char *name : names)
    app.get_option(name)->needs(app.get_option(other));
}

static void addBatchOptions(CLI::App &app, Options &options) {
  app.add_option("--tokens", options.tokens, "token ids to evaluate: .npy, int32 or int64, [T] or [B,T]")
      ->group("Evaluation");
  app.add_option("--lengths", options.lengths, "how many tokens of each sequence count: .npy, int32 or int64, [B]")
      ->group("Evaluation");
  app.add_option("--force-routing", options.forceRouting,
                 "modes to admit instead of the router's: .npy, int8 [B,T,L]; 0 ssm, 1 swa, 2 full, 3 identity, "
                 "-1 the router's")
      ->group("Evaluation");
  app.add_option("--logits", options.logits, "write the logits: .npy, f32 (f64 for an f64 model) [B,T,V]")
      ->group("Evaluation");
  app.add_option("--routing", options.routing, "write the admitted modes: .npy, int8 [B,T,L]")->group("Evaluation");
  needs(app, "--tokens", {"--lengths", "--force-routing", "--logits", "--routing"});
}

namespace {
/// Values that are checked after the parse.
struct RawOptions {
  std::string schedule = "prefill", color = "auto", seed = "0";
};
} // namespace

static void addPromptOptions(CLI::App &app, Options &options, RawOptions &raw) {
  app.add_option("--prompt", options.prompt, "text to continue")->group("Generation")->excludes("--tokens");
  app.add_option("--max-new-tokens", options.maxNewTokens, "the most tokens to add")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40).description(""))
      ->capture_default_str()
      ->group("Generation");
  app.add_option("--temperature", options.sampler.temperature, "0: always the largest logit")
      ->capture_default_str()
      ->group("Generation");
  app.add_option("--top-k", options.sampler.topK, "sample among the k largest logits; 0: all")
      ->capture_default_str()
      ->group("Generation");
  app.add_option("--top-p", options.sampler.topP,
                 "sample among the fewest likeliest tokens that have this probability together; after top-k")
      ->capture_default_str()
      ->group("Generation");
  app.add_option("--seed", raw.seed, "of the random numbers: 0 .. 2^64-1")->capture_default_str()->group("Generation");
  app.add_option("--tokenizer", options.tokenizer, "a model directory's tokenizer; without it bytes are tokens")
      ->group("Generation");
  app.add_option("--color", raw.color, "colour the prompt by the mode each token took: auto, always, never")
      ->check(CLI::IsMember({"auto", "always", "never"}).description(""))
      ->capture_default_str()
      ->group("Generation");
  app.add_option("--color-layer", options.colorLayer, "colour by this layer; without it by the majority of layers")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40).description(""))
      ->group("Generation");
  needs(
      app, "--prompt",
      {"--max-new-tokens", "--temperature", "--top-k", "--top-p", "--seed", "--tokenizer", "--color", "--color-layer"});
}

/// Takes over what needs more than CLI11's checks.
static io::Status finish(const RawOptions &raw, Options &options) {
  if (!options.tokens && !options.prompt)
    return io::Error{"one of --tokens and --prompt is required"};
  if (!options.logits.empty() && options.logits == options.routing)
    return io::Error{"--logits and --routing name the same file"};
  io::Result<Schedule> schedule = Schedule::parse(raw.schedule);
  if (!schedule)
    return io::Error{"--schedule: " + schedule.error().message};
  options.schedule = *schedule;
  io::Result<uint64_t> seed = tools::parseSeed(raw.seed);
  if (!seed)
    return seed.error();
  options.sampler.seed = *seed;
  options.color = raw.color == "auto" ? Color::Auto : raw.color == "always" ? Color::Always : Color::Never;
  if (io::Status status = checkSamplerOptions(options.sampler); !status)
    return io::Error{"--" + status.error().message};
  return {};
}

std::variant<Options, int> parseOptions(int argc, char **argv) {
  Options options;
  RawOptions raw;
  CLI::App app("Runs a compiled model: evaluates token arrays, or continues a text.", "chimera-run");
  app.set_version_flag("--version", "chimera-run " CHIMERA_VERSION);
  app.add_option("model", options.model, "the model binary (model.chm)")->required();
  app.add_option("--weights", options.weights,
                 "the checkpoint: a .safetensors file, an index (.json) of shards, or a directory that holds either")
      ->required();
  app.add_option("--threads", options.threads, "worker threads; without it one a CPU")
      ->check(CLI::Range(1, 1024).description(""));
  app.add_option("--schedule", raw.schedule,
                 "how each sequence is cut: prefill, decode, or chunks:5,7,1 (the last size repeats)")
      ->capture_default_str();
  app.add_flag("--stats", options.stats, "print speed and cache memory by mode on stderr");
  addBatchOptions(app, options);
  addPromptOptions(app, options, raw);
  if (std::optional<int> ended = tools::parseCommandLine(app, argc, argv))
    return *ended;
  if (io::Status status = finish(raw, options); !status)
    return tools::misuse(app.get_name(), status.error().message);
  return options;
}

} // namespace chimera::run
