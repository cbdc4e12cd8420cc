// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Answer.h"

#include "runtime/abi/Layout.h"

#include <algorithm>
#include <utility>

namespace chimera::serve {

static std::string eventOf(const std::string &data) {
  return "data: " + data + "\n\n";
}

/// JSON has no infinity.
static double finite(double logprob) {
  return std::max(logprob, -9999.0);
}

static int64_t charactersOf(const std::string &text) {
  return std::count_if(text.begin(), text.end(), [](char byte) { return (uint8_t(byte) & 0xC0) != 0x80; });
}

static nlohmann::ordered_json nameOf(Finish finish) {
  if (finish == Finish::No)
    return nullptr;
  return finish == Finish::Stop ? "stop" : "length";
}

static void appendTo(std::optional<RoutedTokens> &all, RoutedTokens more) {
  if (!all) {
    all = std::move(more);
    return;
  }
  all->tokens.insert(all->tokens.end(), more.tokens.begin(), more.tokens.end());
  all->modes.insert(all->modes.end(), more.modes.begin(), more.modes.end());
  all->cachePosition = more.cachePosition;
  all->memory = more.memory;
}

Answer::Answer(const ServedModel &model, const Job &job, AnswerHead given)
    : model(model), job(job), head(std::move(given)) {
  size_t count = job.generation.prompts.size() * size_t(job.generation.choices);
  choices.resize(count);
  offsets.resize(count);
}

/// Puts a piece of a choice behind what came of it before.
static void appendTo(Piece &choice, Piece more) {
  choice.text += more.text;
  std::move(more.tokens.begin(), more.tokens.end(), std::back_inserter(choice.tokens));
  choice.finish = more.finish;
  if (more.routed)
    appendTo(choice.routed, std::move(*more.routed));
}

void Answer::add(std::vector<Piece> pieces) {
  for (Piece &piece : pieces)
    appendTo(choices[size_t(piece.choice)], std::move(piece));
}

std::vector<Piece> Answer::joined(std::vector<Piece> pieces) {
  std::vector<Piece> all;
  std::map<int64_t, size_t> places;
  for (Piece &piece : pieces) {
    auto [place, isNew] = places.emplace(piece.choice, all.size());
    if (isNew)
      all.push_back(std::move(piece));
    else
      appendTo(all[place->second], std::move(piece));
  }
  return all;
}

Answer::Json Answer::envelope(const char *object) const {
  Json body;
  body["id"] = head.id;
  body["object"] = object;
  body["created"] = head.created;
  body["model"] = head.model;
  body["system_fingerprint"] = "chm-" + model.digest();
  body["seed"] = job.generation.sampler.seed;
  return body;
}

Answer::Json Answer::usage() const {
  int64_t prompt = 0, made = job.madeTokens();
  for (const Prompt &text : job.generation.prompts)
    prompt += int64_t(text.tokens.size());
  Json counts;
  counts["prompt_tokens"] = prompt;
  counts["completion_tokens"] = made;
  counts["total_tokens"] = prompt + made;
  counts["prompt_tokens_details"] = {{"cached_tokens", job.keptTokens()}};
  if (job.generation.guesses > 0) {
    auto [right, wrong] = job.guesses();
    counts["completion_tokens_details"] = {{"accepted_prediction_tokens", right},
                                           {"rejected_prediction_tokens", wrong}};
  }
  return counts;
}

Answer::Json Answer::completionLogprobs(const std::vector<ScoredToken> &tokens, size_t choice) {
  Json texts = Json::array(), values = Json::array(), tops = Json::array(), places = Json::array();
  for (const ScoredToken &scored : tokens) {
    std::string text = model.textOf(scored.token);
    places.push_back(offsets[choice]);
    offsets[choice] += charactersOf(text);
    if (scored.score) {
      Json top = Json::object();
      for (const auto &[token, logprob] : scored.score->top)
        top.emplace(model.textOf(token), finite(logprob)); // Of tokens with equal texts the likeliest stays.
      top.emplace(text, finite(scored.score->logprob));
      values.push_back(finite(scored.score->logprob));
      tops.push_back(std::move(top));
    } else {
      values.push_back(nullptr);
      tops.push_back(nullptr);
    }
    texts.push_back(std::move(text));
  }
  Json all;
  all["tokens"] = std::move(texts);
  all["token_logprobs"] = std::move(values);
  all["top_logprobs"] = std::move(tops);
  all["text_offset"] = std::move(places);
  return all;
}

Answer::Json Answer::chatLogprobs(const std::vector<ScoredToken> &tokens) const {
  auto entry = [&](int32_t token, double logprob) {
    Json one;
    std::string text = model.textOf(token);
    one["token"] = text;
    one["logprob"] = finite(logprob);
    one["bytes"] = std::vector<uint8_t>(text.begin(), text.end());
    return one;
  };
  Json content = Json::array();
  for (const ScoredToken &scored : tokens) {
    Json one = entry(scored.token, scored.score->logprob);
    one["top_logprobs"] = Json::array();
    for (const auto &[token, logprob] : scored.score->top)
      one["top_logprobs"].push_back(entry(token, logprob));
    content.push_back(std::move(one));
  }
  Json all;
  all["content"] = std::move(content);
  all["refusal"] = nullptr;
  return all;
}

Answer::Json Answer::logprobs(const std::vector<ScoredToken> &tokens, size_t choice) {
  if (!job.generation.logprobs)
    return nullptr;
  return head.chat ? chatLogprobs(tokens) : completionLogprobs(tokens, choice);
}

/// Where tokens went: of each token a string with a digit for each layer.
Answer::Json Answer::routing(const Piece &piece) {
  const RoutedTokens &routed = *piece.routed;
  const auto layers = size_t(model.engine.info().layers);
  Json modes = Json::array(), parts = Json::array(), cache = Json::object();
  auto known = texts.find(piece.choice);
  if (known == texts.end() && model.hasText())
    known = texts.emplace(piece.choice, run::TokenTexts(model.stream())).first;
  for (size_t t = 0; t < routed.tokens.size(); ++t) {
    std::string digits(layers, '-');
    for (size_t layer = 0; layer < layers; ++layer)
      if (int8_t mode = routed.modes[t * layers + layer]; mode >= 0)
        digits[layer] = char('0' + mode);
    modes.push_back(std::move(digits));
    parts.push_back(known == texts.end() ? std::string() : known->second.push(routed.tokens[t]));
  }
  cache["position"] = routed.cachePosition;
  for (const char *kind : {"used", "reserved"})
    for (int mode = 0; mode < CHIMERA_MEMORY_COUNT; ++mode)
      cache[kind][abi::cacheModeNames[mode]] = (*kind == 'u' ? routed.memory.used : routed.memory.reserved)[mode];
  Json all;
  all["prompt_tokens"] = job.generation.prompts[size_t(piece.choice / job.generation.choices)].tokens.size();
  all["position"] = routed.position;
  all["tokens"] = routed.tokens;
  if (model.hasText())
    all["texts"] = std::move(parts);
  all["modes"] = std::move(modes);
  all["cache"] = std::move(cache);
  return all;
}

std::string Answer::whole() {
  Json body = envelope(head.chat ? "chat.completion" : "text_completion");
  body["choices"] = Json::array();
  for (size_t i = 0; i < choices.size(); ++i) {
    Json choice;
    choice["index"] = i;
    if (head.chat)
      choice["message"] = {{"role", "assistant"}, {"content", choices[i].text}, {"refusal", nullptr}};
    else
      choice["text"] = choices[i].text;
    choice["logprobs"] = logprobs(choices[i].tokens, i);
    choice["finish_reason"] = nameOf(choices[i].finish);
    if (choices[i].routed) {
      choices[i].choice = int64_t(i);
      choice["routing"] = routing(choices[i]);
    }
    body["choices"].push_back(std::move(choice));
  }
  body["usage"] = usage();
  return textOf(body);
}

Answer::Json Answer::chunk(Json parts) const {
  Json body = envelope(head.chat ? "chat.completion.chunk" : "text_completion");
  body["choices"] = std::move(parts);
  if (head.includeUsage)
    body["usage"] = nullptr;
  return body;
}

Answer::Json Answer::chunkChoice(int64_t index, Json content, Json scores, Finish finish) const {
  Json choice;
  choice["index"] = index;
  choice[head.chat ? "delta" : "text"] = std::move(content);
  choice["logprobs"] = std::move(scores);
  choice["finish_reason"] = nameOf(finish);
  return choice;
}

std::string Answer::firstEvents() const {
  std::string events;
  if (!head.chat)
    return events;
  for (size_t i = 0; i < choices.size(); ++i) {
    Json delta = {{"role", "assistant"}, {"content", ""}};
    events += eventOf(textOf(chunk(Json::array({chunkChoice(int64_t(i), delta, nullptr, Finish::No)}))));
  }
  return events;
}

std::string Answer::event(const Piece &piece) {
  Json content = piece.text;
  if (head.chat) {
    content = Json::object();
    if (!piece.text.empty() || piece.finish == Finish::No)
      content["content"] = piece.text;
  }
  Json scores = piece.tokens.empty() ? Json() : logprobs(piece.tokens, size_t(piece.choice));
  Json choice = chunkChoice(piece.choice, content, std::move(scores), piece.finish);
  if (piece.routed)
    choice["routing"] = routing(piece);
  return eventOf(textOf(chunk(Json::array({std::move(choice)}))));
}

std::string Answer::lastEvents() const {
  std::string events;
  if (head.includeUsage) {
    Json body = chunk(Json::array());
    body["usage"] = usage();
    events = eventOf(textOf(body));
  }
  return events + eventOf("[DONE]");
}

std::string Answer::errorEvent(const ApiError &error) {
  return eventOf(textOf(error.body()));
}

} // namespace chimera::serve
