// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Options.h"

#include "tools/support/ByteCount.h"
#include "tools/support/CommandLine.h"
#include "tools/support/Numbers.h"
#include "tools/support/Streams.h"

#include <CLI/CLI.hpp>

#include <filesystem>

namespace chimera::run {

using io::Error;
using io::Status;

namespace {
/// Values that are checked after the parse.
struct RawOptions {
  std::string schedule = "prefill", color = "auto", seed = "0";
  std::optional<std::string> memoryLimit;
};
} // namespace

static void addInputOptions(CLI::App &app, Options &options) {
  auto add = [&](const char *name, auto &value, const char *text) {
    app.add_option(name, value, text)->type_name(name == std::string("--prompt") ? "TEXT" : "FILE")->group("Input");
  };
  add("--prompt", options.prompt, "text to continue; - reads it from the standard input");
  add("--prompt-file", options.promptFile, "a file with the text to continue");
  add("--jsonl", options.jsonl, "many texts or token ids to continue: a JSON object on each line");
  app.add_flag("--chat", options.chat, "have a conversation: each line of the standard input is a message")
      ->group("Input");
  add("--messages", options.messages,
      "a file with the messages of a conversation to answer: JSON, [{role, content}, ...]");
  add("--tokens", options.tokens,
      "token ids to evaluate, or with --max-new-tokens to continue: .npy, whole numbers, [T] or [B,T]");
  add("--lengths", options.lengths, "how many tokens of each sequence count: .npy, whole numbers, [B]");
  add("--force-routing", options.forceRouting,
      "modes to admit instead of the router's: .npy, int8 [B,T,L]; 0 ssm, 1 swa, 2 full, 3 identity, -1 the router's");
}

static void addEvaluationOptions(CLI::App &app, Options &options) {
  app.add_option("--logits", options.logits, "write the logits: .npy, f32 (f64 for an f64 model) [B,T,V]")
      ->type_name("FILE")
      ->group("Evaluation");
  app.add_option("--routing", options.routing, "write the admitted modes: .npy, int8 [B,T,L]")
      ->type_name("FILE")
      ->group("Evaluation");
}

static void addContinuationOptions(CLI::App &app, Options &options, RawOptions &raw) {
  app.add_option(
         "--max-new-tokens", options.maxNewTokens,
         "the most tokens to add to the text or to each sequence; without it 4096 for an answer of a conversation")
      ->check(tools::wholeNumber(0, mostNewTokens))
      ->capture_default_str()
      ->group("Continuation");
  // Their ranges are checkSamplerOptions' to say.
  auto finite = tools::realNumber(io::NumberRange::any());
  app.add_option("--temperature", options.sampler.temperature,
                 "0: always the largest logit; without this option what the model says, or 0")
      ->check(finite)
      ->group("Continuation");
  app.add_option("--top-k", options.sampler.topK,
                 "sample among the k largest logits; 0: all; without this option what the model says, or all")
      ->check(tools::wholeNumber(INT64_MIN, INT64_MAX))
      ->group("Continuation");
  app.add_option("--top-p", options.sampler.topP,
                 "sample among the fewest likeliest tokens that have this probability together; after top-k; "
                 "without this option what the model says, or all")
      ->check(finite)
      ->group("Continuation");
  app.add_option("--seed", raw.seed, "of the random numbers: 0 .. 2^64-1")
      ->capture_default_str()
      ->group("Continuation");
  app.add_option("--output-tokens", options.outputTokens,
                 "write the new tokens: .npy, int32 [B, max-new-tokens], -1 past the last of a sequence")
      ->type_name("FILE")
      ->group("Continuation");
  app.add_option("--output", options.output,
                 "write the answers to the lines of --jsonl here, not to the standard output")
      ->type_name("FILE")
      ->group("Continuation");
  app.add_option("--prompt-cache", options.promptCache,
                 "keep what the model makes of the prompt in this file, and begin from it where a prompt begins alike")
      ->type_name("FILE")
      ->group("Continuation");
}

static void addTextOptions(CLI::App &app, Options &options, RawOptions &raw) {
  app.add_option("--tokenizer", options.tokenizer,
                 "a tokenizer.json, a tokenizer.model, or a folder with either; bytes: each byte of the text is a "
                 "token. Without it the tokenizer beside the weights or the binary, or bytes")
      ->type_name("FILE")
      ->group("Text");
  app.add_flag("--parse-special", options.parseSpecial,
               "take special tokens that are written in the text, such as <|im_end|>, for those tokens")
      ->group("Text");
  app.add_option("--system", options.system, "the system's message, with which a chat begins")
      ->type_name("TEXT")
      ->group("Text");
  app.add_option("--chat-template", options.chatTemplate,
                 "a file with a chat template (Jinja); without it the one beside the tokenizer")
      ->type_name("FILE")
      ->group("Text");
  app.add_option("--stop", options.stop, "end the text before this string of the new text; may be given several times")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("STRING")
      ->group("Text");
  app.add_option("--color", raw.color, "colour the prompt by the mode each token took: auto, always, never")
      ->check(CLI::IsMember({"auto", "always", "never"}).description(""))
      ->capture_default_str()
      ->group("Text");
  app.add_option("--color-layer", options.colorLayer, "colour by this layer; without it by the majority of layers")
      ->check(tools::wholeNumber(0, int64_t(1) << 40))
      ->group("Text");
}

static void addRunOptions(CLI::App &app, Options &options, RawOptions &raw) {
  app.add_option("model", options.model, "the model binary (model.chm)")->required();
  app.add_option("--weights", options.weights,
                 "the checkpoint: a .safetensors file, an index (.json) of shards, or a directory that holds either")
      ->required();
  app.add_option("--threads", options.threads, "worker threads; without it as many as the process may use CPUs")
      ->check(tools::wholeNumber(1, 1024));
  app.add_option("--max-sequences", options.maxSequences,
                 "the most sequences whose caches are held at once; the others wait for their end")
      ->check(tools::wholeNumber(1, 1 << 20));
  app.add_option("--memory-limit", raw.memoryLimit,
                 "the most memory for the caches: a number of bytes, or of K, M or G (1024); without it what the "
                 "process may use");
  app.add_option("--schedule", raw.schedule,
                 "how each sequence is cut: prefill, decode, or chunks:5,7,1 (the last size repeats)")
      ->capture_default_str();
  app.add_flag("--stats", options.stats, "print speed and cache memory by mode on stderr");
  app.add_option("--report", options.report,
                 "write an HTML page: the mode of each token in each layer, and how the caches grew; without "
                 "--schedule, texts are then fed 128 tokens at a time")
      ->type_name("FILE");
}

/// The options of `names` that were given say nothing without one of `others`.
static Status require(const CLI::App &app, std::initializer_list<const char *> names,
                      std::initializer_list<const char *> others) {
  std::string wanted;
  for (const char *other : others) {
    if (app.count(other))
      return {};
    wanted += (wanted.empty() ? "" : other == *(others.end() - 1) ? " or " : ", ") + std::string(other);
  }
  for (const char *name : names)
    if (app.count(name))
      return Error{std::string(name) + " requires " + wanted};
  return {};
}

/// No two of `names` can be given together.
static Status exclude(const CLI::App &app, std::initializer_list<const char *> names, const std::string &reason = "") {
  const char *first = nullptr;
  for (const char *name : names) {
    if (!app.count(name))
      continue;
    if (first)
      return Error{std::string(first) + " excludes " + name + reason};
    first = name;
  }
  return {};
}

/// Which options go together.
static Status checkTogether(const CLI::App &app) {
  if (!app.count("--tokens") && !app.count("--prompt") && !app.count("--prompt-file") && !app.count("--jsonl") &&
      !app.count("--chat") && !app.count("--messages"))
    return Error{
        "one of --prompt, --prompt-file, --jsonl, --chat, --messages and --tokens is required (--prompt - reads the "
        "standard input)"};
  const std::string why = ": evaluate the tokens with the new ones at their end (the logits and modes are the same)";
  for (const Status &status : {
           exclude(app, {"--jsonl", "--prompt-cache"}, ": it holds one sequence"),
           require(app, {"--prompt-cache"}, {"--prompt", "--prompt-file", "--max-new-tokens", "--output-tokens"}),
           exclude(app, {"--prompt-cache", "--force-routing"}, ": the cache would not know the modes"),
           exclude(app, {"--jsonl", "--output-tokens"}, ": the answers have the tokens"),
           require(app, {"--output"}, {"--jsonl"}),
           exclude(app, {"--tokens", "--prompt", "--prompt-file", "--jsonl", "--chat", "--messages"}),
           require(app, {"--lengths", "--force-routing", "--logits", "--routing"}, {"--tokens"}),
           require(
               app, {"--temperature", "--top-k", "--top-p", "--seed"},
               {"--prompt", "--prompt-file", "--jsonl", "--chat", "--messages", "--max-new-tokens", "--output-tokens"}),
           require(app, {"--tokenizer", "--parse-special", "--stop"},
                   {"--prompt", "--prompt-file", "--jsonl", "--chat", "--messages"}),
           require(app, {"--color", "--color-layer"}, {"--prompt", "--prompt-file"}),
           require(app, {"--system"}, {"--chat"}),
           require(app, {"--chat-template"}, {"--chat", "--messages"}),
           exclude(app, {"--chat", "--output-tokens"}),
           exclude(app, {"--messages", "--output-tokens"}),
           exclude(app, {"--logits", "--max-new-tokens"}, why),
           exclude(app, {"--logits", "--output-tokens"}, why),
           exclude(app, {"--routing", "--max-new-tokens"}, why),
           exclude(app, {"--routing", "--output-tokens"}, why),
       })
    if (!status)
      return status;
  return {};
}

/// The names of files: one reader of the standard input, and outputs that are two files.
static Status checkFiles(const Options &options) {
  const char *reader = nullptr;
  const std::string standardInput = tools::standardInput;
  const std::pair<const char *, const std::string *> inputs[] = {
      {"the model", &options.model},
      {"--tokens", options.tokens ? &*options.tokens : nullptr},
      {"--chat", options.chat ? &standardInput : nullptr},
      {"--messages", options.messages ? &*options.messages : nullptr},
      {"--chat-template", &options.chatTemplate},
      {"--lengths", &options.lengths},
      {"--force-routing", &options.forceRouting},
      {"--prompt-file", options.promptFile ? &*options.promptFile : nullptr},
      {"--jsonl", options.jsonl ? &*options.jsonl : nullptr}};
  for (auto [name, path] : inputs) {
    if (!path || *path != tools::standardInput)
      continue;
    if (reader)
      return Error{std::string(reader) + " and " + name + " cannot both be read from the standard input"};
    reader = name;
  }
  if (options.weights == tools::standardInput)
    return Error{"--weights: a checkpoint cannot be read from the standard input, as it is not read in order"};
  const std::pair<const char *, const std::string &> outputs[] = {
      {"--logits", options.logits}, {"--routing", options.routing}, {"--output-tokens", options.outputTokens}};
  for (auto [name, path] : outputs)
    if (path == tools::standardInput)
      return Error{std::string(name) + ": an array cannot go to the standard output, as it is not written in order"};
  if (options.report == tools::standardInput)
    return Error{"--report: a file is needed, as the standard output has the answers"};
  if (options.promptCache == tools::standardInput)
    return Error{"--prompt-cache: a file is needed, as it is read and written"};
  auto place = [](const std::string &path) {
    std::error_code ignored;
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path, ignored), ignored);
  };
  auto same = [&](const std::string &a, const std::string &b) {
    return !a.empty() && !b.empty() && place(a) == place(b);
  };
  if (same(options.logits, options.routing))
    return Error{"--logits and --routing name the same file"};
  if (same(options.outputTokens, options.promptCache))
    return Error{"--output-tokens and --prompt-cache name the same file"};
  return {};
}

/// Takes over what needs more than CLI11's checks.
static Status finish(const CLI::App &app, const RawOptions &raw, Options &options) {
  if (Status status = checkTogether(app); !status)
    return status;
  if (options.prompt == tools::standardInput) {
    options.prompt.reset();
    options.promptFile = tools::standardInput;
  }
  if (Status status = checkFiles(options); !status)
    return status;
  options.continues = !options.tokens || app.count("--max-new-tokens") || app.count("--output-tokens");
  constexpr int64_t answerTokens = 4096;
  if (options.chats() && !app.count("--max-new-tokens"))
    options.maxNewTokens = answerTokens;
  if (std::find(options.stop.begin(), options.stop.end(), "") != options.stop.end())
    return Error{"--stop: the string is empty"};
  io::Result<Schedule> schedule = Schedule::parse(raw.schedule);
  if (!schedule)
    return Error{"--schedule: " + schedule.error().message};
  options.schedule = *schedule;
  if (!options.report.empty() && !app.count("--schedule")) // So that the page sees the caches grow.
    options.schedule = *Schedule::parse("chunks:128");
  io::Result<uint64_t> seed = tools::parseSeed(raw.seed);
  if (!seed)
    return seed.error();
  options.sampler.seed = *seed;
  options.givenSampling = {app.count("--temperature") > 0, app.count("--top-k") > 0, app.count("--top-p") > 0};
  if (raw.memoryLimit) {
    io::Result<int64_t> bytes = tools::parseByteCount("--memory-limit", *raw.memoryLimit);
    if (!bytes)
      return bytes.error();
    options.memoryLimit = *bytes;
  }
  options.color = raw.color == "auto" ? Color::Auto : raw.color == "always" ? Color::Always : Color::Never;
  if (Status status = checkSamplerOptions(options.sampler); !status)
    return Error{"--" + status.error().message};
  return {};
}

std::variant<Options, int> parseOptions(int argc, char **argv) {
  Options options;
  RawOptions raw;
  CLI::App app(
      "Runs a compiled model: evaluates token arrays, continues a text or token arrays, or has a conversation. A "
      "file to be read may be -, the standard input.",
      "chimera-run");
  app.set_version_flag("--version", "chimera-run " CHIMERA_VERSION);
  addRunOptions(app, options, raw);
  addInputOptions(app, options);
  addContinuationOptions(app, options, raw);
  addTextOptions(app, options, raw);
  addEvaluationOptions(app, options);
  if (std::optional<int> ended = tools::parseCommandLine(app, argc, argv))
    return *ended;
  if (Status status = finish(app, raw, options); !status)
    return tools::misuse(app.get_name(), status.error().message);
  return options;
}

} // namespace chimera::run
