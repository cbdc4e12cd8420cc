// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/ApiRequest.h"

#include "runtime/io/Json.h"
#include "tools/chimera-serve/Fields.h"
#include "tools/generation/ModelDefaults.h"

#include <algorithm>
#include <random>

namespace chimera::serve {

using io::Result;
using nlohmann::json;

static ApiResult<json> parseObject(const std::string &body) {
  Result<json> parsed = io::parseJson(body.data(), body.size());
  if (!parsed)
    return ApiError{400, "the body is not JSON: " + parsed.error().message, "", "invalid_json", 0};
  if (!parsed->is_object())
    return ApiError{400, "the body must be a JSON object", "", "invalid_json", 0};
  return std::move(*parsed);
}

/// A seed for a request that has none; below 2^53, so that every client can read it.
static uint64_t randomSeed() {
  std::random_device device;
  return (uint64_t(device()) << 32 | device()) >> 11;
}

static void readStop(Fields &fields, std::vector<std::string> &stop) {
  const json *value = fields.find("stop");
  if (!value)
    return;
  json strings = value->is_array() ? *value : json::array({*value});
  if (strings.size() > RequestReader::mostStops)
    return fields.fail("stop", "has more than " + std::to_string(RequestReader::mostStops) + " strings");
  for (const json &string : strings) {
    if (!string.is_string() || string.get_ref<const std::string &>().empty())
      return fields.fail("stop", "must be a string or an array of strings, none of them empty");
    if (string.get_ref<const std::string &>().size() > RequestReader::mostStopBytes)
      return fields.fail("stop", "a string is longer than " + std::to_string(RequestReader::mostStopBytes) + " bytes");
    stop.push_back(string.get<std::string>());
  }
}

void RequestReader::readSampling(Fields &fields, Generation &generation) const {
  SamplerOptions &sampler = generation.sampler;
  run::GivenSampling given;
  if (std::optional<double> temperature = fields.number("temperature")) {
    sampler.temperature = *temperature;
    given.temperature = true;
  }
  if (std::optional<double> topP = fields.number("top_p")) {
    sampler.topP = *topP;
    given.topP = true;
  }
  if (std::optional<int64_t> topK = fields.integer("top_k", -1, INT64_MAX)) {
    sampler.topK = std::max<int64_t>(*topK, 0); // Some clients write -1 for all.
    given.topK = true;
  }
  run::takeSampling(model.engine.handle(), given, sampler);
  if (io::Status status = checkSamplerOptions(sampler); !status && !fields.failed()) {
    const std::string &message = status.error().message;
    std::string field = message.substr(0, message.find(' '));
    std::replace(field.begin(), field.end(), '-', '_');
    fields.fail({400, message, field, "", 0});
  }
  const json *seed = fields.find("seed");
  if (seed && !seed->is_number_unsigned())
    return fields.fail("seed", "must be an integer in 0 .. 2^64-1");
  sampler.seed = seed ? seed->get<uint64_t>() : randomSeed();
}

/// Whether tokens are guessed, or how many at once.
void RequestReader::readSpeculation(Fields &fields, Generation &generation) const {
  const json *value = fields.find("speculation");
  if (!value)
    generation.guesses = guesses;
  else if (value->is_boolean())
    generation.guesses = !value->get<bool>() ? 0 : guesses ? guesses : usualGuesses;
  else if (value->is_number_unsigned() && value->get<uint64_t>() <= uint64_t(Speculation::mostGuesses))
    generation.guesses = value->get<int64_t>();
  else
    fields.fail("speculation", "must be true, false or an integer in 0 .. " + std::to_string(Speculation::mostGuesses));
}

/// What both endpoints take.
void RequestReader::readCommon(Fields &fields, ApiRequest &request) const {
  if (std::optional<std::string> wanted = fields.string("model"); wanted && *wanted != name)
    fields.fail(
        {404, "there is no model " + io::quote(*wanted) + ", only " + io::quote(name), "model", "model_not_found", 0});
  Generation &generation = request.generation;
  generation.choices = fields.integer("n", 1, mostChoices).value_or(1);
  readSampling(fields, generation);
  readStop(fields, generation.stop);
  readSpeculation(fields, generation);
  generation.routing = fields.boolean("routing");
  request.stream = fields.boolean("stream");
  if (const json *options = fields.find("stream_options")) {
    if (!options->is_object() || !request.stream)
      fields.fail("stream_options", "must be an object, and goes with stream");
    else {
      Fields inner(*options, "stream_options.");
      request.includeUsage = inner.boolean("include_usage");
      inner.ignore("include_obfuscation");
      if (std::optional<ApiError> error = inner.finish())
        fields.fail(*error);
    }
  }
  for (const char *effectless : {"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"})
    fields.ignore(effectless);
  for (const auto &[field, value] :
       std::initializer_list<std::pair<const char *, json>>{{"frequency_penalty", 0},
                                                            {"presence_penalty", 0},
                                                            {"repetition_penalty", 1},
                                                            {"logit_bias", json::object()},
                                                            {"min_p", 0},
                                                            {"min_tokens", 0},
                                                            {"ignore_eos", false},
                                                            {"skip_special_tokens", true},
                                                            {"stop_token_ids", json::array()},
                                                            {"include_stop_str_in_output", false},
                                                            {"use_beam_search", false},
                                                            {"best_of", generation.choices}})
    fields.neutral(field, value);
}

static bool readIds(Fields &fields, const json &ids, int64_t vocab, std::vector<int32_t> &tokens) {
  for (const json &id : ids) {
    bool fits = id.is_number_unsigned() && id.get<uint64_t>() < uint64_t(vocab);
    if (!fits) {
      fields.fail("prompt", "token ids must be integers in 0 .. " + std::to_string(vocab - 1));
      return false;
    }
    tokens.push_back(int32_t(id.get<int64_t>()));
  }
  if (tokens.empty())
    fields.fail("prompt", "there is no token to start from");
  return !tokens.empty();
}

/// A text, an array of texts, an array of token ids, or an array of such arrays.
void RequestReader::readPrompts(Fields &fields, Generation &generation) const {
  const json *value = fields.find("prompt");
  if (!value)
    return fields.fail("prompt", "is required");
  bool many = value->is_array() && !value->empty() && !value->front().is_number();
  json wrapped = many ? json() : json::array({*value});
  const json &prompts = many ? *value : wrapped;
  if (prompts.size() > mostPrompts)
    return fields.fail("prompt", "has more than " + std::to_string(mostPrompts) + " prompts");
  for (const json &prompt : prompts) {
    Prompt read;
    if (prompt.is_array()) {
      if (!readIds(fields, prompt, model.engine.info().vocab_size, read.tokens))
        return;
      if (Result<std::string> text = generation.echo ? model.decode(read.tokens) : std::string())
        read.text = std::move(*text);
    } else if (prompt.is_string()) {
      read.text = prompt.get<std::string>();
      Result<std::vector<int32_t>> tokens = model.encode(read.text);
      if (!tokens)
        return fields.fail("prompt", tokens.error().message);
      read.tokens = std::move(*tokens);
    } else {
      return fields.fail("prompt",
                         "must be a text, an array of texts, an array of token ids or an array of such arrays");
    }
    generation.prompts.push_back(std::move(read));
  }
}

/// The text of a message's content: a string, or parts that are texts.
static std::optional<std::string> contentOf(const json &content) {
  if (content.is_string())
    return content.get<std::string>();
  if (!content.is_array())
    return std::nullopt;
  std::string text;
  for (const json &part : content) {
    if (!part.is_object() || part.value("type", json()) != "text" || !part.value("text", json()).is_string())
      return std::nullopt;
    text += part["text"].get<std::string>();
  }
  return text;
}

void RequestReader::readMessages(Fields &fields, Generation &generation) const {
  const json *value = fields.find("messages");
  if (!value)
    return fields.fail("messages", "is required");
  if (!value->is_array() || value->empty())
    return fields.fail("messages", "must be an array of messages, [{\"role\": \"user\", \"content\": \"Hello\"}]");
  json messages = *value;
  for (size_t i = 0; i < messages.size(); ++i) {
    json &message = messages[i];
    std::optional<std::string> content =
        message.is_object() ? contentOf(message.value("content", json())) : std::nullopt;
    if (!content || !message.value("role", json()).is_string())
      return fields.fail("messages", "[" + std::to_string(i) +
                                         "]: must be an object with a role, which is a string, and a content, which "
                                         "is a string or an array of parts of type text");
    message["content"] = std::move(*content);
  }
  Result<std::vector<int32_t>> tokens = model.encodeMessages(messages);
  if (!tokens)
    return fields.fail("messages", tokens.error().message);
  generation.prompts.push_back({std::move(*tokens), ""});
  generation.endToken = model.endOfAnswer();
}

/// Decides how many tokens are made, and whether there is room for them.
void RequestReader::checkRoom(Fields &fields, Generation &generation, std::optional<int64_t> wanted, int64_t otherwise,
                              const char *promptField) const {
  if (fields.failed())
    return;
  int64_t longest = 0;
  for (const Prompt &prompt : generation.prompts)
    longest = std::max(longest, int64_t(prompt.tokens.size()));
  int64_t room = maxContext - longest, memory = scheduler.mostNewTokens(longest, generation.choices);
  generation.maxTokens = wanted.value_or(std::min({otherwise, room, memory}));
  int64_t least = wanted ? generation.maxTokens : 1;
  if (room < least)
    return fields.fail({400,
                        "the prompt has " + std::to_string(longest) + " tokens and max_tokens is " +
                            std::to_string(least) + ", but the most tokens of both together are " +
                            std::to_string(maxContext),
                        promptField, "context_length_exceeded", 0});
  if (memory < least)
    fields.fail({400,
                 "a prompt of " + std::to_string(longest) + " tokens with " + std::to_string(least) +
                     " new ones and n = " + std::to_string(generation.choices) +
                     " may need more cache memory or sequences than the server has (--memory-limit, --max-sequences)",
                 promptField, "memory_exceeded", 0});
}

ApiResult<ApiRequest> RequestReader::completion(const std::string &body) const {
  ApiResult<json> object = parseObject(body);
  if (!object)
    return object.error();
  ApiRequest request;
  Fields fields(*object);
  readCommon(fields, request);
  Generation &generation = request.generation;
  generation.echo = fields.boolean("echo");
  generation.logprobs = fields.integer("logprobs", 0, mostLogprobs);
  std::optional<int64_t> wanted = fields.integer("max_tokens", 0, INT32_MAX);
  fields.neutral("suffix", "");
  readPrompts(fields, generation);
  if (!generation.stop.empty() && !model.hasText())
    fields.fail("stop", model.noText());
  checkRoom(fields, generation, wanted, completionTokens, "prompt");
  if (std::optional<ApiError> error = fields.finish())
    return *error;
  return request;
}

ApiResult<ApiRequest> RequestReader::chat(const std::string &body) const {
  ApiResult<json> object = parseObject(body);
  if (!object)
    return object.error();
  ApiRequest request;
  request.chat = true;
  Fields fields(*object);
  readCommon(fields, request);
  Generation &generation = request.generation;
  bool logprobs = fields.boolean("logprobs");
  std::optional<int64_t> top = fields.integer("top_logprobs", 0, mostLogprobs);
  if (top.value_or(0) > 0 && !logprobs)
    fields.fail("top_logprobs", "goes with logprobs");
  if (logprobs)
    generation.logprobs = top.value_or(0);
  std::optional<int64_t> wanted = fields.integer("max_completion_tokens", 0, INT32_MAX);
  if (std::optional<int64_t> older = fields.integer("max_tokens", 0, INT32_MAX)) {
    if (wanted && *wanted != *older)
      fields.fail("max_tokens", "differs from max_completion_tokens, the new name of the same");
    wanted = older;
  }
  for (const auto &[field, value] : std::initializer_list<std::pair<const char *, json>>{
           {"tools", json::array()},
           {"tool_choice", fields.find("tool_choice") && *fields.find("tool_choice") == "auto" ? "auto" : "none"},
           {"functions", json::array()},
           {"response_format", json::object({{"type", "text"}})},
           {"modalities", json::array({"text"})},
           {"store", false},
           {"echo", false},
           {"add_generation_prompt", true},
           {"continue_final_message", false}})
    fields.neutral(field, value);
  fields.ignore("parallel_tool_calls"); // Without tools it changes nothing.
  readMessages(fields, generation);
  checkRoom(fields, generation, wanted, answerTokens, "messages");
  if (std::optional<ApiError> error = fields.finish())
    return *error;
  return request;
}

} // namespace chimera::serve
