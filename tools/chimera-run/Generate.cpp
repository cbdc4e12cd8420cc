// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Generate.h"

#include "tools/chimera-run/TextOutput.h"
#include "tools/chimera-run/Tokenizer.h"

#include <algorithm>

namespace chimera::run {

using io::Error;
using io::Result;
using io::Status;

int majorityMode(const int8_t *modes, const std::vector<bool> &counted) {
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
/// One text on its way.
class Generation {
public:
  Generation(const Options &options, Engine &engine, const Tokenizer &tokenizer, std::vector<bool> counted)
      : options(options), engine(engine), tokenizer(tokenizer), counted(std::move(counted)), out(stdout, options.color),
        sampler(options.sampler) {}

  Status run();

private:
  Status feed(const int32_t *tokens, int64_t count, bool wantLogits);
  Status prompt();
  Result<int32_t> next();

  const Options &options;
  Engine &engine;
  const Tokenizer &tokenizer;
  std::vector<bool> counted;
  TextOutput out;
  Sampler sampler;
  chimera_sequence sequence = 0;
  int64_t position = 0; ///< Tokens fed.
  std::vector<uint8_t> logits;
  std::vector<int8_t> routing;
};
} // namespace

Status Generation::feed(const int32_t *tokens, int64_t count, bool wantLogits) {
  position += count;
  return engine.step({{sequence, tokens, count, nullptr, wantLogits ? CHIMERA_LOGITS_LAST : CHIMERA_LOGITS_NONE}},
                     logits, &routing);
}

/// Feeds the prompt and prints it.
Status Generation::prompt() {
  std::vector<int32_t> tokens = tokenizer.encode(*options.prompt);
  int64_t bos = engine.info().bos_token_id, skipped = bos >= 0 ? 1 : 0;
  if (bos >= 0)
    tokens.insert(tokens.begin(), int32_t(bos));
  if (tokens.empty())
    return Error{"--prompt: the text is empty and the model has no bos_token_id to start from"};
  uint32_t modes = 0;
  for (size_t layer = 0; layer < counted.size(); ++layer)
    if (counted[layer])
      modes |= chimera_model_layer_modes(engine.handle(), int64_t(layer));
  out.legend(modes);
  int64_t total = int64_t(tokens.size()), layers = engine.info().layers;
  for (int64_t chunk = 0; position < total; ++chunk) {
    int64_t first = position, count = options.schedule.chunk(chunk, total - first);
    if (Status status = feed(tokens.data() + first, count, first + count == total); !status)
      return status;
    for (int64_t i = 0; i < count; ++i)
      if (first + i >= skipped)
        out.write(tokenizer.decode(tokens[size_t(first + i)]), majorityMode(routing.data() + i * layers, counted));
    out.flushComplete();
  }
  return {};
}

Result<int32_t> Generation::next() {
  int64_t vocab = engine.info().vocab_size;
  uint64_t at = uint64_t(position);
  Result<int32_t> token = engine.logitsType() == io::DType::F64
                              ? sampler.sample(reinterpret_cast<const double *>(logits.data()), vocab, 0, at)
                              : sampler.sample(reinterpret_cast<const float *>(logits.data()), vocab, 0, at);
  if (!token)
    return Error{"position " + std::to_string(position) + ": " + token.error().message};
  return token;
}

Status Generation::run() {
  Result<chimera_sequence> added = engine.addSequence();
  if (!added)
    return added.error();
  sequence = *added;
  if (Status status = prompt(); !status)
    return status;
  for (int64_t made = 0; made < options.maxNewTokens; ++made) {
    Result<int32_t> token = next();
    if (!token)
      return token.error();
    if (engine.endsText(*token))
      break;
    out.write(tokenizer.decode(*token));
    out.flushComplete();
    if (made + 1 < options.maxNewTokens)
      if (Status status = feed(&*token, 1, true); !status)
        return status;
  }
  out.write("\n");
  return out.close();
}

Status generate(const Options &options, Engine &engine) {
  Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::open(options.tokenizer, engine.info().vocab_size);
  if (!tokenizer)
    return tokenizer.error();
  Result<std::vector<bool>> counted = colouringLayers(options, engine);
  if (!counted)
    return counted.error();
  if (Status status = engine.start(options.threads, 1); !status)
    return status;
  return Generation(options, engine, **tokenizer, *counted).run();
}

} // namespace chimera::run
