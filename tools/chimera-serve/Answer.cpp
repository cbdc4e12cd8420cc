// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Answer.h"

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

Answer::Answer(const ServedModel &model, const Job &job, AnswerHead given)
    : model(model), job(job), head(std::move(given)) {
  size_t count = job.generation.prompts.size() * size_t(job.generation.choices);
  choices.resize(count);
  offsets.resize(count);
}

void Answer::add(std::vector<Piece> pieces) {
  for (Piece &piece : pieces) {
    Piece &choice = choices[size_t(piece.choice)];
    choice.text += piece.text;
    std::move(piece.tokens.begin(), piece.tokens.end(), std::back_inserter(choice.tokens));
    choice.finish = piece.finish;
  }
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

std::string Answer::whole() const {
  Answer copy = *this; // Logprobs count characters.
  Json body = envelope(head.chat ? "chat.completion" : "text_completion");
  body["choices"] = Json::array();
  for (size_t i = 0; i < choices.size(); ++i) {
    Json choice;
    choice["index"] = i;
    if (head.chat)
      choice["message"] = {{"role", "assistant"}, {"content", choices[i].text}, {"refusal", nullptr}};
    else
      choice["text"] = choices[i].text;
    choice["logprobs"] = copy.logprobs(choices[i].tokens, i);
    choice["finish_reason"] = nameOf(choices[i].finish);
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
  return eventOf(textOf(chunk(Json::array({chunkChoice(piece.choice, content, std::move(scores), piece.finish)}))));
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
