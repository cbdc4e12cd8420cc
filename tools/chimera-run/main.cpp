// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Chat.h"
#include "tools/chimera-run/ContinueLines.h"
#include "tools/chimera-run/ContinueText.h"
#include "tools/chimera-run/ContinueTokens.h"
#include "tools/chimera-run/Evaluate.h"
#include "tools/chimera-run/Options.h"
#include "tools/chimera-run/Report.h"
#include "tools/chimera-run/Stats.h"
#include "tools/generation/ModelDefaults.h"
#include "tools/generation/Tokenizer.h"
#include "tools/support/Streams.h"

#include <cstdio>
#include <memory>
#include <new>
#include <optional>

using namespace chimera;

/// What is read before the model.
struct Input {
  std::string text;
  std::unique_ptr<run::LineReader> lines; ///< Null: there are none, as the next.
  std::optional<run::Chat> chat;
};

static io::Result<Input> readInput(const run::Options &options) {
  Input input;
  if (options.jsonl) {
    io::Result<std::unique_ptr<run::LineReader>> lines = run::LineReader::open(*options.jsonl);
    if (!lines)
      return lines.error();
    input.lines = std::move(*lines);
  } else if (options.chats()) {
    io::Result<run::Chat> chat = run::Chat::prepare(options);
    if (!chat)
      return chat.error();
    input.chat.emplace(std::move(*chat));
  } else if (!options.tokens) {
    io::Result<std::string> text = readPrompt(options);
    if (!text)
      return text.error();
    input.text = std::move(*text);
  }
  return input;
}

static io::Status work(const run::Options &options, Input input, run::Engine &engine) {
  if (input.chat)
    return input.chat->run(options, engine);
  if (input.lines)
    return continueLines(options, *input.lines, engine);
  if (!options.tokens)
    return continueText(options, std::move(input.text), engine);
  return options.continues ? continueTokens(options, engine) : evaluate(options, engine);
}

/// The page of --report. Token ids of a model without a tokenizer are shown as numbers.
static io::Status writeReport(const run::Options &options, const run::Engine &engine, const run::Report &report) {
  io::Result<std::unique_ptr<run::Tokenizer>> tokenizer =
      run::Tokenizer::open(options, engine.info(), options.textSource());
  return report.write(options.report, options.model, engine.handle(), tokenizer ? tokenizer->get() : nullptr);
}

static io::Status execute(run::Options options) {
  // First, so that a wrong name is said at once, and not after a model of many gigabytes was read.
  io::Result<Input> input = readInput(options);
  if (!input)
    return input.error();
  io::Result<run::Engine> engine = run::Engine::open(options.model, options.weights);
  if (!engine)
    return engine.error();
  run::takeSampling(engine->handle(), options.givenSampling, options.sampler);
  engine->warnBy([](const std::string &text) { std::fprintf(stderr, "chimera-run: warning: %s\n", text.c_str()); });
  run::Report report(engine->info().layers);
  if (!options.report.empty())
    engine->watch(report);
  io::Status status = work(options, std::move(*input), *engine);
  if (status && !options.report.empty())
    status = writeReport(options, *engine, report);
  if (!options.stats || !engine->started())
    return status;
  io::Status printed = printStats(*engine, stderr);
  return status ? printed : status;
}

int main(int argc, char **argv) {
  tools::keepStandardStreams();
  try {
    auto parsed = run::parseOptions(argc, argv);
    if (const int *exitStatus = std::get_if<int>(&parsed))
      return *exitStatus;
    io::Status status = execute(std::get<run::Options>(parsed));
    if (status)
      return 0;
    std::fprintf(stderr, "chimera-run: %s\n", status.error().message.c_str());
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "chimera-run: out of memory\n");
  }
  return 1;
}
