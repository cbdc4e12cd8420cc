// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Chat.h"
#include "tools/chimera-run/ContinueText.h"
#include "tools/chimera-run/ContinueTokens.h"
#include "tools/chimera-run/Evaluate.h"
#include "tools/chimera-run/ModelDefaults.h"
#include "tools/chimera-run/Options.h"
#include "tools/chimera-run/Stats.h"
#include "tools/support/Streams.h"

#include <cstdio>
#include <new>
#include <optional>

using namespace chimera;

static io::Status work(const run::Options &options, std::optional<run::Chat> &chat, std::string text,
                       run::Engine &engine) {
  if (chat)
    return chat->run(options, engine);
  if (!options.tokens)
    return continueText(options, std::move(text), engine);
  return options.continues ? continueTokens(options, engine) : evaluate(options, engine);
}

static io::Status execute(run::Options options) {
  // First, so that a wrong name is said at once, and not after a model of many gigabytes was read.
  std::optional<run::Chat> chat;
  if (options.chats()) {
    io::Result<run::Chat> prepared = run::Chat::prepare(options);
    if (!prepared)
      return prepared.error();
    chat.emplace(std::move(*prepared));
  }
  io::Result<std::string> text = options.tokens || chat ? std::string() : readPrompt(options);
  if (!text)
    return text.error();
  io::Result<run::Engine> engine = run::Engine::open(options.model, options.weights);
  if (!engine)
    return engine.error();
  run::takeSampling(engine->handle(), options);
  if (io::Status status = work(options, chat, std::move(*text), *engine); !status)
    return status;
  return options.stats ? printStats(*engine, stderr) : io::Status();
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
