// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// POST /v1/completions: each field, and what is answered.
#include "test/chimera-serve/ServeTool.h"

#include "runtime/text/Utf8.h"

#include <algorithm>
#include <cmath>
#include <ctime>

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {
class CompletionTest : public ServeTest {
protected:
  CompletionTest() = default;

  /// The answer to a request without a stream, which must be one.
  Reply completed(const json &request) const {
    Reply reply = complete(request);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply;
  }
  /// Expects that a request is refused because of this field.
  void expectRefused(const json &request, const std::string &param, const std::string &part = "", int status = 400) {
    Reply reply = complete(request);
    EXPECT_EQ(reply.status, status) << request.dump() << "\n" << reply.body;
    ASSERT_TRUE(reply.json.is_object()) << request.dump() << "\n" << reply.body;
    EXPECT_EQ(reply.json["error"]["param"], param) << request.dump() << "\n" << reply.body;
    EXPECT_NE(reply.message().find(part), std::string::npos) << reply.body;
    EXPECT_EQ(countLines(reply.message()), 1) << reply.body;
  }
};
} // namespace

TEST_F(CompletionTest, AnAnswerHasWhatClientsExpect) {
  serve({"--model-name", "bytes"});
  Reply reply = completed({{"model", "bytes"}, {"prompt", "The quick brown fox"}, {"max_tokens", 12}, {"seed", 7}});
  EXPECT_EQ(reply.json["object"], "text_completion");
  EXPECT_EQ(reply.json["model"], "bytes");
  EXPECT_EQ(reply.json["seed"], 7);
  EXPECT_EQ(reply.json["id"].get<std::string>().substr(0, 5), "cmpl-");
  EXPECT_EQ(reply.json["system_fingerprint"].get<std::string>().substr(0, 4), "chm-");
  EXPECT_NEAR(reply.json["created"].get<double>(), double(std::time(nullptr)), 100);
  EXPECT_EQ(reply.json["usage"], json({{"prompt_tokens", 19},
                                       {"completion_tokens", 12},
                                       {"total_tokens", 31},
                                       {"prompt_tokens_details", {{"cached_tokens", 0}}}}));
  EXPECT_EQ(reply.json["choices"].size(), 1u);
  EXPECT_EQ(reply.choice(), json({{"index", 0},
                                  {"text", expectedText("The quick brown fox", 12)},
                                  {"logprobs", nullptr},
                                  {"finish_reason", "length"}}));
  EXPECT_NE(completed({{"prompt", "a"}}).json["id"], completed({{"prompt", "a"}}).json["id"]);
}

TEST_F(CompletionTest, PromptsAreTextsOrTokens) {
  serve();
  std::string one = expectedText("abc", 16), two = expectedText("The quick", 16);
  EXPECT_EQ(completed({{"prompt", "abc"}}).choice()["text"], one);
  EXPECT_EQ(completed({{"prompt", {97, 98, 99}}}).choice()["text"], one);
  for (const json &prompts : {json::array({"abc", "The quick"}), json::array({bytesOf("abc"), bytesOf("The quick")})}) {
    Reply reply = completed({{"prompt", prompts}});
    EXPECT_EQ(reply.json["choices"].size(), 2u);
    EXPECT_EQ(reply.choice(0)["text"], one);
    EXPECT_EQ(reply.choice(1)["text"], two);
    EXPECT_EQ(reply.choice(1)["index"], 1);
    EXPECT_EQ(reply.json["usage"]["prompt_tokens"], 12);
  }
  std::string wide = text::wellFormed(ByteModelTest::textOf(chosen({299}, 16, {})));
  EXPECT_EQ(completed({{"prompt", json::array({json::array({299})})}}).choice()["text"], wide);
}

TEST_F(CompletionTest, SamplingIsThatOfChimeraRun) {
  serve();
  SamplerOptions options{3000, 40, 0.9, 18446744073709551615u};
  json request = {{"prompt", "abc"}, {"temperature", 3000}, {"top_k", 40},
                  {"top_p", 0.9},    {"max_tokens", 30},    {"seed", options.seed}};
  EXPECT_EQ(completed(request).choice()["text"], expectedText("abc", 30, options));
  ProcessResult ran = run({"--prompt", "abc", "--temperature", "3000", "--top-k", "40", "--top-p", "0.9", "--seed",
                           "18446744073709551615", "--max-new-tokens", "30"});
  EXPECT_EQ("abc" + completed(request).choice()["text"].get<std::string>() + "\n", text::wellFormed(ran.out));
  options.topK = 0;
  for (const json &all : {json(0), json(-1), json()}) {
    request["top_k"] = all;
    EXPECT_EQ(completed(request).choice()["text"], expectedText("abc", 30, options));
  }
}

TEST_F(CompletionTest, WithoutASeedEachRequestGetsItsOwnAndSaysWhich) {
  serve();
  json request = {{"prompt", "abc"}, {"temperature", 3000}, {"max_tokens", 30}};
  Reply first = completed(request), second = completed(request);
  EXPECT_NE(first.json["seed"], second.json["seed"]);
  EXPECT_NE(first.choice()["text"], second.choice()["text"]);
  request["seed"] = first.json["seed"];
  EXPECT_EQ(completed(request).choice()["text"], first.choice()["text"]);
}

TEST_F(CompletionTest, TheModelSaysHowToSampleWhereARequestDoesNot) {
  writeModel(nullptr, json::array(), vocab, {{"sampling", {{"temperature", 3000}, {"top_k", 40}, {"top_p", 0.9}}}});
  serve();
  SamplerOptions models{3000, 40, 0.9, 5};
  EXPECT_EQ(completed({{"prompt", "abc"}, {"seed", 5}}).choice()["text"], expectedText("abc", 16, models));
  EXPECT_EQ(completed({{"prompt", "abc"}, {"seed", 5}, {"temperature", 0}}).choice()["text"], expectedText("abc", 16));
}

TEST_F(CompletionTest, NChoicesAreDifferentSequencesOfOneSeed) {
  serve();
  SamplerOptions options{3000, 0, 1, 9};
  json request = {{"prompt", {"abc", "The quick brown fox"}},
                  {"temperature", 3000},
                  {"max_tokens", 20},
                  {"seed", 9},
                  {"n", 3},
                  {"best_of", 3}};
  Reply reply = completed(request);
  ASSERT_EQ(reply.json["choices"].size(), 6u);
  for (size_t c = 0; c < 3; ++c) {
    EXPECT_EQ(reply.choice(c)["text"], expectedText("abc", 20, options, c));
    EXPECT_EQ(reply.choice(3 + c)["text"], expectedText("The quick brown fox", 20, options, c));
    EXPECT_EQ(reply.choice(3 + c)["index"], 3 + c);
  }
  EXPECT_NE(reply.choice(0)["text"], reply.choice(1)["text"]);
  EXPECT_EQ(reply.json["usage"]["completion_tokens"], 120);
}

TEST_F(CompletionTest, StopStringsAndEndTokensEndAText) {
  std::vector<int32_t> made = chosen(bytesOf("the way"), 40, {});
  std::string whole = ByteModelTest::textOf(made), stop = ByteModelTest::textOf({made.begin() + 9, made.begin() + 12});
  std::string before = text::wellFormed(whole.substr(0, whole.find(stop)));
  size_t tokens = 1; // Until the string is there.
  while (ByteModelTest::textOf({made.begin(), made.begin() + std::ptrdiff_t(tokens)}).find(stop) == std::string::npos)
    ++tokens;
  serve();
  for (const json &strings : {json(stop), json::array({stop}), json::array({"never", stop})}) {
    Reply reply = completed({{"prompt", "the way"}, {"stop", strings}, {"max_tokens", 40}});
    EXPECT_EQ(reply.choice()["text"], before);
    EXPECT_EQ(reply.choice()["finish_reason"], "stop");
    EXPECT_EQ(reply.json["usage"]["completion_tokens"], tokens);
  }
  EXPECT_EQ(completed({{"prompt", "the way"}, {"stop", json::array()}, {"max_tokens", 40}}).choice()["text"],
            text::wellFormed(whole));
  server.reset();
  writeModel(nullptr, json{made[6]});
  serve();
  Reply ended = completed({{"prompt", "the way"}, {"max_tokens", 40}});
  size_t count = size_t(std::find(made.begin(), made.end(), made[6]) - made.begin());
  EXPECT_EQ(ended.choice()["text"],
            text::wellFormed(ByteModelTest::textOf({made.begin(), made.begin() + std::ptrdiff_t(count)})));
  EXPECT_EQ(ended.choice()["finish_reason"], "stop");
  EXPECT_EQ(ended.json["usage"]["completion_tokens"], int64_t(count + 1)) << "the end token was made too";
}

TEST_F(CompletionTest, EchoGivesThePromptBack) {
  serve();
  for (const json &prompt : {json("abc"), json(bytesOf("abc"))}) {
    Reply reply = completed({{"prompt", prompt}, {"echo", true}, {"max_tokens", 5}});
    EXPECT_EQ(reply.choice()["text"], "abc" + expectedText("abc", 5));
    reply = completed({{"prompt", prompt}, {"echo", true}, {"max_tokens", 0}});
    EXPECT_EQ(reply.choice()["text"], "abc");
    EXPECT_EQ(reply.choice()["finish_reason"], "length");
    EXPECT_EQ(reply.json["usage"]["completion_tokens"], 0);
  }
}

/// log softmax of the toy's logits after `tokens`.
static std::vector<double> logprobsAfter(const std::vector<int32_t> &tokens, int64_t vocab) {
  auto hash = uint32_t(runtime::toy::expected(tokens, {}).logits.back()[0]);
  std::vector<double> values;
  double sum = 0, most = -1;
  for (int64_t v = 0; v < vocab; ++v) {
    float scale = v >= 'a' && v <= 'z' ? 1.0f + 0.0001f * float((v * 7) % 26) : v == 280 ? 1.001f : 0.25f;
    values.push_back(double(float((hash ^ uint32_t(v)) & 0xFFFF) * scale));
    most = std::max(most, values.back());
  }
  for (double value : values)
    sum += std::exp(value - most);
  for (double &value : values)
    value = std::max(value - most - std::log(sum), -9999.0);
  return values;
}

TEST_F(CompletionTest, LogprobsAreOfEachTokenAndThoseOfThePromptComeWithEcho) {
  serve();
  std::vector<int32_t> tokens = bytesOf("abcabcabcabcabc");
  size_t prompt = tokens.size();
  for (int32_t token : chosen(tokens, 4, {}))
    tokens.push_back(token);
  Reply reply = completed(
      {{"prompt", "abcabcabcabcabc"}, {"logprobs", 2}, {"echo", true}, {"max_tokens", 4}, {"temperature", 0}});
  json scores = reply.choice()["logprobs"];
  for (const char *field : {"tokens", "token_logprobs", "top_logprobs", "text_offset"})
    ASSERT_EQ(scores[field].size(), tokens.size()) << field;
  EXPECT_TRUE(scores["token_logprobs"][0].is_null());
  EXPECT_TRUE(scores["top_logprobs"][0].is_null());
  for (size_t i = 1; i < tokens.size(); ++i) {
    std::vector<double> wanted = logprobsAfter({tokens.begin(), tokens.begin() + std::ptrdiff_t(i)}, vocab);
    EXPECT_NEAR(scores["token_logprobs"][i].get<double>(), wanted[size_t(tokens[i])],
                1e-6 * std::abs(wanted[size_t(tokens[i])]) + 1e-9);
    double most = -1e9;
    for (const json &value : scores["top_logprobs"][i])
      most = std::max(most, value.get<double>());
    EXPECT_NEAR(most, *std::max_element(wanted.begin(), wanted.end()), 1e-9);
    EXPECT_GE(scores["top_logprobs"][i].size(), 2u);
    if (i >= prompt)
      EXPECT_EQ(scores["token_logprobs"][i], most) << "the largest was chosen";
  }
  for (size_t i = 0; i < prompt; ++i) {
    EXPECT_EQ(scores["tokens"][i], std::string(1, char(tokens[i])));
    EXPECT_EQ(scores["text_offset"][i], i);
  }
  // Without a new token, and in a stream.
  reply = completed({{"prompt", "abcabcabcabcabc"}, {"logprobs", 2}, {"echo", true}, {"max_tokens", 0}});
  EXPECT_EQ(reply.choice()["logprobs"]["token_logprobs"].size(), prompt);
  reply = completed({{"prompt", "abcabcabcabcabc"}, {"logprobs", 0}, {"max_tokens", 4}});
  EXPECT_EQ(reply.choice()["logprobs"]["token_logprobs"],
            json(std::vector<json>(scores["token_logprobs"].begin() + std::ptrdiff_t(prompt),
                                   scores["token_logprobs"].end())));
}

TEST_F(CompletionTest, AnEndTokenHasALogprobToo) {
  std::vector<int32_t> made = chosen(bytesOf("ab"), 1, {});
  writeModel(nullptr, json{made[0]});
  serve();
  Reply reply = completed({{"prompt", "ab"}, {"logprobs", 1}, {"echo", true}, {"max_tokens", 1}});
  EXPECT_EQ(reply.choice()["logprobs"]["token_logprobs"].size(), 3u) << "lm-eval drops the last of them";
  EXPECT_EQ(reply.choice()["finish_reason"], "stop");
}

TEST_F(CompletionTest, WhatIsWrongIsRefusedByItsName) {
  serve({"--max-context", "100"});
  json good = {{"prompt", "abc"}};
  auto with = [&](const char *name, const json &value) {
    json request = good;
    request[name] = value;
    return request;
  };
  expectRefused(json::object(), "prompt", "is required");
  for (const json &prompt : {json(5), json::object(), json(""), json::array(), json::array({"a", 5}),
                             json::array({1, "a"}), json::array({1.5}), json::array({-1}), json::array({300}),
                             json::array({json::array()}), json::array({json::array({"a"})})})
    expectRefused(with("prompt", prompt), "prompt");
  expectRefused(with("model", "other"), "model", "no model 'other'", 404);
  for (const json &value : {json("1"), json(-1), json(-1e-9), json(true)})
    expectRefused(with("temperature", value), "temperature");
  for (const json &value : {json(0), json(1.5), json("x")})
    expectRefused(with("top_p", value), "top_p");
  for (const json &value : {json(-2), json(1.5), json("x")})
    expectRefused(with("top_k", value), "top_k");
  for (const json &value : {json(-1), json(1.5), json("7")})
    expectRefused(with("seed", value), "seed");
  for (const json &value : {json(-1), json(1.5), json("x"), json(18446744073709551615u)})
    expectRefused(with("max_tokens", value), "max_tokens");
  for (const json &value : {json(0), json(129), json(true)})
    expectRefused(with("n", value), "n");
  for (const json &value : {json(21), json(-1), json(true)})
    expectRefused(with("logprobs", value), "logprobs");
  for (const json &value : {json(""), json(5), json::array({"a", ""}), json(std::vector<std::string>(17, "a"))})
    expectRefused(with("stop", value), "stop");
  expectRefused(with("stream", "yes"), "stream");
  expectRefused(with("stream_options", json::object()), "stream_options");
  expectRefused({{"prompt", "a"}, {"stream", true}, {"stream_options", {{"other", 1}}}}, "stream_options.other");
  expectRefused(with("max_tokens", 98), "prompt", "the most tokens of both together are 100");
  EXPECT_EQ(complete(with("max_tokens", 97)).status, 200);
}

TEST_F(CompletionTest, FieldsThatChangeTheResultAreRefusedButForTheirNeutralValues) {
  serve();
  const std::string text = expectedText("abc", 16);
  for (const auto &[name, value] : std::vector<std::pair<std::string, json>>{{"frequency_penalty", 0.0},
                                                                             {"presence_penalty", 0},
                                                                             {"repetition_penalty", 1.0},
                                                                             {"logit_bias", json::object()},
                                                                             {"suffix", ""},
                                                                             {"best_of", 1},
                                                                             {"min_p", 0},
                                                                             {"ignore_eos", false},
                                                                             {"user", "somebody"},
                                                                             {"frequency_penalty", nullptr},
                                                                             {"unheard_of", nullptr}})
    EXPECT_EQ(completed({{"prompt", "abc"}, {name, value}}).choice()["text"], text) << name;
  for (const auto &[name, value] : std::vector<std::pair<std::string, json>>{{"frequency_penalty", 0.5},
                                                                             {"presence_penalty", -1},
                                                                             {"repetition_penalty", 1.1},
                                                                             {"logit_bias", {{"5", 1}}},
                                                                             {"suffix", "x"},
                                                                             {"best_of", 2},
                                                                             {"min_p", 0.1},
                                                                             {"ignore_eos", true},
                                                                             {"messages", json::array()},
                                                                             {"unheard_of", 1}})
    expectRefused({{"prompt", "abc"}, {name, value}}, name);
}

TEST_F(CompletionTest, WithoutATokenizerTokensAreServedAndTextsRefused) {
  writeModel(nullptr, json::array(), 50);
  writeWeights(50);
  serve();
  expectRefused({{"prompt", "abc"}}, "prompt", "token ids needs none");
  expectRefused({{"prompt", {1, 2}}, {"stop", "a"}}, "stop");
  Reply reply = completed({{"prompt", {1, 2}}, {"logprobs", 1}, {"max_tokens", 3}});
  EXPECT_EQ(reply.choice()["text"], "");
  EXPECT_EQ(reply.choice()["logprobs"]["tokens"].size(), 3u);
  EXPECT_EQ(reply.choice()["logprobs"]["tokens"][0].get<std::string>().substr(0, 9), "token_id:");
}

TEST_F(CompletionTest, ALogitThatIsNoNumberFailsItsRequestAlone) {
  writeWeights(vocab, 200);
  serve();
  Reply reply = complete({{"prompt", "abc"}});
  EXPECT_EQ(reply.status, 500);
  EXPECT_NE(reply.message().find("position 3: the logit of token 200 is NaN"), std::string::npos) << reply.body;
  EXPECT_EQ(reply.json["error"]["type"], "server_error");
  Reply streamed = complete({{"prompt", "abc"}, {"stream", true}});
  EXPECT_NE(streamed.body.find("is NaN"), std::string::npos) << streamed.body;
  EXPECT_EQ(complete({{"prompt", "abc"}, {"max_tokens", 0}}).status, 200);
}
