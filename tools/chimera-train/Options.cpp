// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Options.h"

#include "tools/support/CommandLine.h"
#include "tools/support/Numbers.h"

#include <CLI/CLI.hpp>

namespace chimera::train {

using tools::realNumber;
using tools::wholeNumber;

static constexpr int64_t mostSteps = (int64_t(1) << 31) - 1, mostSequences = int64_t(1) << 20;

/// What is given as texts and read in a second step.
struct Texts {
  std::vector<std::string> data;
  std::string seed = "0";
};

static void addRunOptions(CLI::App &app, Options &options, Texts &texts) {
  app.add_option("model", options.model, "a config.json, or a model directory whose weights are the start")->required();
  app.add_option("--data", texts.data,
                 "mqar, copy or needle with options (mqar:pairs=8,queries=8), or files and patterns, separated by "
                 "commas: token ids in .npy, in files of llm.c and after u16: or u32: (u16:train.bin); any others are "
                 "texts. Given again, each with a weight (0.7@FILES) or without, the sources are mixed")
      ->allow_extra_args(false)
      ->required();
  app.add_option("--out", options.out, "the folder for the trained model, checkpoints, log and page")->required();
  app.add_option("--steps", options.steps, "how many steps")->check(wholeNumber(1, mostSteps));
  app.add_option("--batch", options.batch, "sequences of a micro-step, over all ranks")
      ->required()
      ->check(wholeNumber(1, mostSequences));
  app.add_option("--seq", options.length, "tokens of a sequence")->required()->check(wholeNumber(1, 65536));
  app.add_option("--accumulate", options.accumulate, "micro-steps of a step")
      ->check(wholeNumber(1, mostSequences))
      ->capture_default_str();
  app.add_option("--seed", texts.seed, "of the initial weights, the data and the noise: 0 .. 2^64-1")
      ->capture_default_str();
  app.add_option("--dtype", options.dtype, "f32, bf16 (with f32 parameters) or f64")
      ->check(CLI::IsMember({"f32", "bf16", "f64"}).description(""))
      ->capture_default_str();
  app.add_option("--held-out", options.heldOut,
                 "the share of a file's windows that is held out, the last ones; 0: none, and no evaluations")
      ->check(realNumber({0, 1, false, true}))
      ->capture_default_str();
  app.add_option("--tokenizer", options.tokenizer,
                 "a tokenizer.json, a tokenizer.model or the folder of one, to encode texts with; without it what lies "
                 "beside the model. bytes: the bytes of a text are the model's tokens");
  app.add_flag("--parse-special", options.parseSpecial,
               "special tokens that are written in a text (<|endoftext|>) are those tokens");
  app.add_flag("--resume", options.resume, "go on from the newest good checkpoint in --out");
  app.add_option("--gradients", options.gradients,
                 "write the gradients of the mean cross entropy of the first step, and end");
}

static void addConfigOptions(CLI::App &app, Options &options) {
  const char *group = "In the place of keys of config.json";
  app.add_option("--routing", options.routing, "soft, concrete, hard, gumbel, or a schedule: soft@0.5,hard@0.6")
      ->group(group);
  app.add_option("--lr", options.learningRate, "the greatest learning rate")
      ->check(realNumber(io::NumberRange::positive()))
      ->group(group);
  app.add_option("--checkpoint-every", options.checkpointEvery, "steps between checkpoints; 0: only at the end")
      ->check(wholeNumber(0, mostSteps))
      ->group(group);
  app.add_option("--keep", options.keep, "how many checkpoints are kept")->check(wholeNumber(1, 1000))->group(group);
  app.add_option("--eval-every", options.evaluateEvery, "steps between evaluations; 0: only at the end")
      ->check(wholeNumber(0, mostSteps))
      ->group(group);
  app.add_option("--eval-sequences", options.evaluateSequences, "held-out sequences of an evaluation")
      ->check(wholeNumber(1, mostSequences))
      ->group(group);
}

static void addMachineOptions(CLI::App &app, Options &options) {
  const char *group = "The machine";
  app.add_option("--threads", options.threads,
                 "worker threads of a rank; without it one for each CPU that the process may use")
      ->check(wholeNumber(1, 1024))
      ->group(group);
  app.add_option("--log-every", options.logEvery, "steps between lines of the log")
      ->check(wholeNumber(1, mostSteps))
      ->capture_default_str()
      ->group(group);
  app.add_flag("--profile", options.profile, "write profile.txt in --out: the time of each kernel")->group(group);
  app.add_option("--target", options.target, "what to compile for: cpu, cuda, ref or sim")
      ->check(CLI::IsMember({"cpu", "cuda", "ref", "sim"}).description(""))
      ->capture_default_str()
      ->group(group);
  app.add_option("--mcpu", options.mcpu, "the cpu target's ISAs, as chimera-compile takes them")->group(group);
  app.add_option("--memory-limit", options.memoryLimit, "memory of a step, as chimera-compile takes it")->group(group);
}

std::variant<Options, int> parseOptions(int argc, char **argv) {
  Options options;
  Texts texts;
  CLI::App app("Trains a model. docs/training.md says more.", "chimera-train");
  app.set_version_flag("--version", "chimera-train " CHIMERA_VERSION);
  addRunOptions(app, options, texts);
  addConfigOptions(app, options);
  addMachineOptions(app, options);
  if (std::optional<int> ended = tools::parseCommandLine(app, argc, argv))
    return *ended;
  if (options.steps == 0 && options.gradients.empty())
    return tools::misuse(app.get_name(), "--steps is required");
  if (options.resume && !options.gradients.empty())
    return tools::misuse(app.get_name(), "--gradients excludes --resume");
  bool isFiles = true;
  for (const std::string &text : texts.data) {
    io::Result<SourceSpec> source = SourceSpec::parse(text);
    if (!source)
      return tools::misuse(app.get_name(), source.error().message);
    isFiles &= !source->isGenerated();
    options.data.push_back(*source);
  }
  if (isFiles && options.heldOut == 0 && options.evaluateEvery.value_or(0) > 0)
    return tools::misuse(app.get_name(), "--eval-every needs held-out sequences, of which --held-out 0 leaves none");
  io::Result<uint64_t> parsed = tools::parseSeed(texts.seed);
  if (!parsed)
    return tools::misuse(app.get_name(), parsed.error().message);
  options.seed = *parsed;
  if (options.steps == 0)
    options.steps = 1;
  return options;
}

} // namespace chimera::train
