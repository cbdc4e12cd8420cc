// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/ContinueText.h"

#include "tools/chimera-run/Generate.h"
#include "tools/chimera-run/Interrupt.h"
#include "tools/chimera-run/TextOutput.h"
#include "tools/chimera-run/TokenOutput.h"
#include "tools/generation/StopStrings.h"
#include "tools/generation/Tokenizer.h"
#include "tools/support/Streams.h"

#include <algorithm>
#include <unistd.h>

namespace chimera::run {

using io::Error;
using io::Result;
using io::Status;

/// The mode that most of the modes [layers] of a token are, counting only layers set in `counted`; of equals the first
/// in canonical order; -1 when none is counted.
static int majorityMode(const int8_t *modes, const std::vector<bool> &counted) {
  int counts[CHIMERA_MODE_COUNT] = {};
  for (size_t layer = 0; layer < counted.size(); ++layer)
    if (counted[layer] && modes[layer] >= 0 && modes[layer] < CHIMERA_MODE_COUNT)
      ++counts[modes[layer]];
  const int *most = std::max_element(counts, counts + CHIMERA_MODE_COUNT);
  return *most ? int(most - counts) : -1;
}

/// The layers whose modes colour the text: the chosen one, or those with a router, or all when none has.
static Result<std::vector<bool>> colouringLayers(const Options &options, const Engine &engine) {
  int64_t layers = engine.info().layers;
  std::vector<bool> counted(size_t(layers), false);
  if (options.colorLayer) {
    if (*options.colorLayer >= layers)
      return Error{"--color-layer: the model's layers are 0.." + std::to_string(layers - 1)};
    counted[size_t(*options.colorLayer)] = true;
    return counted;
  }
  for (int64_t layer = 0; layer < layers; ++layer) {
    uint32_t modes = chimera_model_layer_modes(engine.handle(), layer);
    counted[size_t(layer)] = (modes & (modes - 1)) != 0;
  }
  if (std::find(counted.begin(), counted.end(), true) == counted.end())
    counted.assign(size_t(layers), true);
  return counted;
}

namespace {
/// The one sequence of a text.
class Text : public Sequences {
public:
  Text(EncodedText given, const Tokenizer &tokenizer, const Engine &engine, std::vector<bool> counted, TextOutput &out,
       const std::vector<std::string> &stop, TokenFile *file)
      : given(std::move(given)), printed(tokenizer.stream()), engine(engine), counted(std::move(counted)), out(out),
        stop(stop), file(file) {}

  int64_t count() const override { return 1; }
  bool wantsRouting() const override { return out.coloured(); }
  bool stops(int64_t) const override { return stop.found(); }
  std::string nameOf(int64_t) const override { return {}; }

  Beginning begin(int64_t) override {
    uint32_t modes = 0;
    for (size_t layer = 0; layer < counted.size(); ++layer)
      if (counted[layer])
        modes |= chimera_model_layer_modes(engine.handle(), int64_t(layer));
    out.legend(modes);
    return {given.tokens.data(), int64_t(given.tokens.size())};
  }

  Status fed(int64_t, int64_t first, int64_t count, const int8_t *routing) override {
    for (int64_t i = 0; i < count; ++i) {
      if (first + i < given.unseen)
        continue;
      Result<std::string> part = printed->push(given.tokens[size_t(first + i)]);
      if (!part)
        return part.error();
      out.write(*part, routing ? majorityMode(routing + i * engine.info().layers, counted) : -1);
    }
    return out.flushComplete();
  }

  Status made(int64_t, int32_t token) override {
    if (file)
      newTokens.push_back(token);
    Result<std::string> part = printed->push(token);
    if (!part)
      return part.error();
    out.write(stop.push(*part));
    return out.flushComplete();
  }

  Status ended(int64_t) override {
    Result<std::string> part = printed->flush();
    if (!part)
      return part.error();
    out.write(stop.push(*part) + stop.flush());
    out.write("\n");
    if (Status status = out.close(); !status || !file)
      return status;
    return file->write(0, newTokens);
  }

private:
  EncodedText given;
  std::unique_ptr<text::StreamDecoder> printed;
  const Engine &engine;
  std::vector<bool> counted;
  TextOutput &out;
  StopStrings stop;
  TokenFile *file; ///< Null: none.
  std::vector<int32_t> newTokens;
};
} // namespace

Result<std::string> readPrompt(const Options &options) {
  if (options.prompt)
    return *options.prompt;
  if (*options.promptFile == tools::standardInput && ::isatty(STDIN_FILENO))
    std::fprintf(stderr, "chimera-run: reading the text from the terminal; Ctrl-D on a line of its own ends it\n");
  return tools::readAll(*options.promptFile);
}

/// The name of the text in messages.
static std::string nameOfPrompt(const Options &options) {
  return options.prompt ? "--prompt" : tools::nameOfInput(*options.promptFile);
}

Status continueText(const Options &options, std::string text, Engine &engine) {
  Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::open(options, engine.info(), options.textSource());
  if (!tokenizer)
    return tokenizer.error();
  Result<std::vector<bool>> counted = colouringLayers(options, engine);
  if (!counted)
    return counted.error();
  Result<EncodedText> encoded = (*tokenizer)->encode(text);
  if (!encoded)
    return Error{nameOfPrompt(options) + ": " + encoded.error().message};
  text = std::string(); // It may be long.
  if (Status status = checkStart(*encoded, engine.info()); !status)
    return Error{nameOfPrompt(options) + ": " + status.error().message};
  std::optional<TokenFile> file;
  if (!options.outputTokens.empty()) {
    Result<TokenFile> created = TokenFile::create(options.outputTokens, 1, options.maxNewTokens);
    if (!created)
      return created.error();
    file.emplace(std::move(*created));
  }
  TextOutput out(stdout, options.color);
  if (out.coloured())
    resetColoursWhenInterrupted();
  Text sequence(std::move(*encoded), **tokenizer, engine, *counted, out, options.stop, file ? &*file : nullptr);
  PromptCache cache(options.promptCache);
  if (Status status = generate(options, engine, sequence, options.promptCache.empty() ? nullptr : &cache); !status)
    return status;
  if (Status status = file ? file->commit() : Status(); !status)
    return status;
  return cache.written();
}

} // namespace chimera::run
