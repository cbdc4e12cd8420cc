// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/ServedModel.h"

#include "runtime/core/ProcessLimits.h"
#include "runtime/text/Utf8.h"
#include "tools/generation/ChatPrompt.h"

#include <algorithm>

namespace chimera::serve {

using io::Error;
using io::Result;
using io::Status;

Result<std::unique_ptr<ServedModel>> ServedModel::open(const run::ModelOptions &options) {
  Result<run::Engine> engine = run::Engine::open(options.model, options.weights);
  if (!engine)
    return engine.error();
  std::unique_ptr<ServedModel> made(new ServedModel(std::move(*engine)));
  size_t length = 0;
  const char *text = chimera_model_manifest(made->engine.handle(), &length);
  runtime::Result<runtime::Manifest> manifest = runtime::parseManifest({text, length}, io::quote(options.model));
  if (!manifest)
    return Error{manifest.error().message};
  made->about.emplace(std::move(*manifest));
  Result<std::string> digest = made->engine.digest();
  if (!digest)
    return digest.error();
  made->hexDigest = std::move(*digest);
  made->parseSpecial = options.parseSpecial;
  made->memoryLimit = options.memoryLimit ? options.memoryLimit : made->defaultMemoryLimit();
  if (Status status = made->openText(options); !status)
    return status.error();
  return made;
}

/// Three quarters of the memory that the weights leave: the rest is for requests and the system.
int64_t ServedModel::defaultMemoryLimit() const {
  int64_t weights = 0;
  for (const runtime::Parameter &parameter : about->parameters)
    weights += parameter.bytes;
  return std::max<int64_t>((runtime::usableMemory() - weights) / 4 * 3, int64_t(1) << 20);
}

Status ServedModel::openText(const run::ModelOptions &options) {
  bool found = run::findTokenizer(options).has_value();
  Result<std::unique_ptr<run::Tokenizer>> opened =
      run::Tokenizer::open(options, engine.info(), {"", " (a prompt of token ids needs none)"});
  if (!opened && (found || !options.tokenizer.empty()))
    return opened.error();
  if (!opened) {
    tokenizerError = templateError = opened.error().message;
    return options.chatTemplate.empty() ? Status() : opened.error();
  }
  tokenizer = std::move(*opened);
  if (Result<run::EncodedText> encoded = tokenizer->encode("a"); encoded && !encoded->tokens.empty())
    plainToken = encoded->tokens.back();
  Result<run::ChatTemplate> opening = run::ChatTemplate::open(options);
  if (!opening) {
    templateError = opening.error().message;
    return options.chatTemplate.empty() ? Status() : opening.error();
  }
  chatTemplate.emplace(std::move(*opening));
  run::nameTokens(engine.handle(), engine.info(), *tokenizer, *chatTemplate);
  return {};
}

Result<std::vector<int32_t>> ServedModel::encode(const std::string &text) const {
  if (!tokenizer)
    return Error{tokenizerError};
  Result<run::EncodedText> encoded = tokenizer->encode(text);
  if (!encoded)
    return encoded.error();
  if (Status status = run::checkStart(*encoded, engine.info()); !status)
    return status.error();
  return std::move(encoded->tokens);
}

Result<std::vector<int32_t>> ServedModel::encodeMessages(const nlohmann::json &messages) {
  if (!chatTemplate)
    return Error{templateError};
  std::lock_guard<std::mutex> lock(rendering);
  return run::encodeMessages(messages, *chatTemplate, *tokenizer, parseSpecial);
}

std::optional<int32_t> ServedModel::endOfAnswer() const {
  return chatTemplate ? run::endOfAnswer(*chatTemplate, *tokenizer) : std::nullopt;
}

Result<std::string> ServedModel::decode(const std::vector<int32_t> &tokens) const {
  std::string text;
  std::unique_ptr<text::StreamDecoder> decoder = stream();
  if (!decoder)
    return text;
  for (int32_t token : tokens) {
    Result<std::string> part = decoder->push(token);
    if (!part)
      return part;
    text += *part;
  }
  Result<std::string> rest = decoder->flush();
  if (!rest)
    return rest;
  return text::wellFormed(text + *rest);
}

std::string ServedModel::textOf(int32_t token) const {
  const std::string otherwise = "token_id:" + std::to_string(token);
  std::unique_ptr<text::StreamDecoder> decoder = stream();
  if (!decoder)
    return otherwise;
  if (plainToken)
    (void)decoder->push(*plainToken);
  Result<std::string> part = decoder->push(token);
  Result<std::string> rest = part ? decoder->flush() : part;
  std::string text = rest ? *part + *rest : "";
  static constexpr const char *replacement = "\xEF\xBF\xBD";
  bool isText = !text.empty() && !text::findIllFormed(text) && text.find(replacement) == std::string::npos;
  if (isText)
    return text;
  if (std::optional<std::string> name = tokenizer->tokenOf(token); name && !text::findIllFormed(*name))
    return *name;
  return text.empty() ? otherwise : "bytes:" + io::escaped(text);
}

} // namespace chimera::serve
