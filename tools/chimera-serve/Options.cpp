// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Options.h"

#include "tools/chimera-serve/Speculation.h"
#include "tools/support/ByteCount.h"
#include "tools/support/CommandLine.h"
#include "tools/support/Numbers.h"
#include "tools/support/Streams.h"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <optional>

namespace chimera::serve {

using io::Error;
using io::Status;

namespace {
/// Values that are checked after the parse.
struct RawOptions {
  std::optional<std::string> memoryLimit;
  std::string maxBody = "16M";
};
} // namespace

static void addModelOptions(CLI::App &app, Options &options, RawOptions &raw) {
  app.add_option("model", options.model, "the model binary (model.chm)")->required();
  app.add_option("--weights", options.weights,
                 "the checkpoint: a .safetensors file, an index (.json) of shards, or a directory that holds either")
      ->required();
  app.add_option("--model-name", options.modelName,
                 "the model's name in requests and answers; without it the name of its file, without the ending");
  app.add_option("--tokenizer", options.tokenizer,
                 "a tokenizer.json, a tokenizer.model, or a folder with either; bytes: each byte of a text is a "
                 "token. Without it the tokenizer beside the weights or the binary, or bytes")
      ->type_name("FILE");
  app.add_option("--chat-template", options.chatTemplate,
                 "a file with a chat template (Jinja); without it the one beside the tokenizer")
      ->type_name("FILE");
  app.add_flag("--parse-special", options.parseSpecial,
               "take special tokens that are written in prompts and messages, such as <|im_end|>, for those tokens");
  app.add_option("--threads", options.threads, "worker threads; without it as many as the process may use CPUs")
      ->check(tools::wholeNumber(1, 1024));
  app.add_option("--memory-limit", raw.memoryLimit,
                 "the most memory for the caches: a number of bytes, or of K, M or G (1024); without it three "
                 "quarters of what the weights leave of what the process may use");
}

static void addSchedulingOptions(CLI::App &app, Options &options) {
  app.add_option("--max-sequences", options.maxSequences,
                 "the most sequences that hold memory at once; without it as many as one step of the binary holds")
      ->check(tools::wholeNumber(1, 1 << 20))
      ->group("Scheduling");
  app.add_option("--step-tokens", options.stepTokens,
                 "the most tokens of a step; those of prompts take what decoding leaves. Without it as many as one "
                 "step of the binary holds")
      ->check(tools::wholeNumber(1, 1 << 20))
      ->group("Scheduling");
  app.add_option("--max-context", options.maxContext,
                 "the most tokens of a prompt and its continuation; without it what the model was made for, or what "
                 "the memory holds")
      ->check(tools::wholeNumber(1, INT32_MAX))
      ->group("Scheduling");
  app.add_option("--queue", options.queue, "the most requests that wait; more are answered with status 429")
      ->check(tools::wholeNumber(0, 1 << 20))
      ->capture_default_str()
      ->group("Scheduling");
  app.add_option("--prefix-cache", options.prefixes,
                 "the most beginnings of prompts that are kept for prompts that begin alike, in memory that nothing "
                 "else needs; 0: none")
      ->check(tools::wholeNumber(0, 1 << 16))
      ->capture_default_str()
      ->group("Scheduling");
  app.add_option(
         "--speculation", options.guesses,
         "the most tokens that are guessed from a text's own repetitions and verified in one step, for requests "
         "that do not say; no text changes. 0: none")
      ->check(tools::wholeNumber(0, Speculation::mostGuesses))
      ->capture_default_str()
      ->group("Scheduling");
  app.add_option("--timeout", options.timeout, "the most seconds that a request may take; 0: any number")
      ->check(tools::realNumber({0, 1e6}))
      ->capture_default_str()
      ->group("Scheduling");
}

static void addServerOptions(CLI::App &app, Options &options, RawOptions &raw) {
  app.add_option("--host", options.host, "the address to listen on; 0.0.0.0: all")
      ->capture_default_str()
      ->group("HTTP");
  app.add_option("--port", options.port, "the port to listen on; 0: a free one")
      ->check(tools::wholeNumber(0, 65535))
      ->capture_default_str()
      ->group("HTTP");
  app.add_option("--api-key", options.apiKey, "requests need this key; other users of the machine may see it here")
      ->type_name("KEY")
      ->group("HTTP");
  app.add_option("--api-key-file", options.apiKeyFile, "requests need a key of this file, which has one on each line")
      ->type_name("FILE")
      ->group("HTTP");
  app.add_option("--max-body", raw.maxBody, "the most bytes of a request's body: a number of bytes, or of K, M or G")
      ->capture_default_str()
      ->group("HTTP");
  app.add_option("--connections", options.connections, "the most connections that are served at once")
      ->check(tools::wholeNumber(1, 900))
      ->capture_default_str()
      ->group("HTTP");
}

/// Takes over what needs more than CLI11's checks.
static Status finish(const CLI::App &app, const RawOptions &raw, Options &options) {
  if (raw.memoryLimit) {
    io::Result<int64_t> bytes = tools::parseByteCount("--memory-limit", *raw.memoryLimit);
    if (!bytes)
      return bytes.error();
    options.memoryLimit = *bytes;
  }
  io::Result<int64_t> body = tools::parseByteCount("--max-body", raw.maxBody);
  if (!body)
    return body.error();
  options.maxBody = *body;
  if (options.weights == tools::standardInput)
    return Error{"--weights: a checkpoint cannot be read from the standard input, as it is not read in order"};
  if (app.count("--api-key") && options.apiKey.empty())
    return Error{"--api-key: the key is empty"};
  if (app.count("--model-name") && options.modelName.empty())
    return Error{"--model-name: the name is empty"};
  if (options.modelName.empty())
    options.modelName =
        options.model == tools::standardInput ? "model" : std::filesystem::path(options.model).stem().string();
  return {};
}

std::variant<Options, int> parseOptions(int argc, char **argv) {
  Options options;
  RawOptions raw;
  CLI::App app(
      "Serves a compiled model over HTTP, in the form of OpenAI's API: completions, chat completions, streams.",
      "chimera-serve");
  app.set_version_flag("--version", "chimera-serve " CHIMERA_VERSION);
  addModelOptions(app, options, raw);
  addServerOptions(app, options, raw);
  addSchedulingOptions(app, options);
  if (std::optional<int> ended = tools::parseCommandLine(app, argc, argv))
    return *ended;
  if (Status status = finish(app, raw, options); !status)
    return tools::misuse(app.get_name(), status.error().message);
  return options;
}

} // namespace chimera::serve
