// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// POST /v1/chat/completions: messages, their template, and what is answered.
#include "test/chimera-serve/ServeTool.h"

#include <filesystem>
#include <map>

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {
class ChatCompletionTest : public ServeTest {
protected:
  ChatCompletionTest() { writeChat(); }
  static json message(const std::string &role, const std::string &content) {
    return {{"role", role}, {"content", content}};
  }
  static json asked(const std::string &text) { return json::array({message("user", text)}); }
};
} // namespace

TEST_F(ChatCompletionTest, MessagesAreAnswered) {
  serve({"--model-name", "talker"});
  json messages = json::array({message("system", "Be brief."), message("user", "Who is there?")});
  Reply reply = chatReply({{"model", "talker"}, {"messages", messages}, {"max_tokens", 20}, {"seed", 3}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  std::string answer = answerTo(chatMlOf({"system", "Be brief.", "user", "Who is there?"}), 20);
  EXPECT_EQ(reply.json["object"], "chat.completion");
  EXPECT_EQ(reply.json["id"].get<std::string>().substr(0, 9), "chatcmpl-");
  EXPECT_EQ(reply.choice(), json({{"index", 0},
                                  {"message", {{"role", "assistant"}, {"content", answer}, {"refusal", nullptr}}},
                                  {"logprobs", nullptr},
                                  {"finish_reason", "length"}}));
  int64_t tokens = int64_t(tokensOf(chatMlOf({"system", "Be brief.", "user", "Who is there?"})).size());
  EXPECT_EQ(reply.json["usage"], json({{"prompt_tokens", tokens},
                                       {"completion_tokens", 20},
                                       {"total_tokens", tokens + 20},
                                       {"prompt_tokens_details", {{"cached_tokens", 0}}}}));
  EXPECT_EQ(chatReply({{"messages", messages}, {"max_completion_tokens", 20}}).choice()["message"]["content"], answer);
  auto textPart = [](const std::string &text) { return json{{"type", "text"}, {"text", text}}; };
  json cut = {{"role", "user"}, {"content", json::array({textPart("Who is "), textPart("there?")})}};
  json parts = json::array({message("system", "Be brief."), cut});
  EXPECT_EQ(chatReply({{"messages", parts}, {"max_tokens", 20}}).choice()["message"]["content"], answer);
}

TEST_F(ChatCompletionTest, TheAnswerIsThatOfChimeraRun) {
  serve();
  ProcessResult ran = run({"--messages", messages({"user", "Who is there?"}), "--max-new-tokens", "40", "--temperature",
                           "3000", "--top-k", "40", "--seed", "11"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  Reply reply = chatReply(
      {{"messages", asked("Who is there?")}, {"max_tokens", 40}, {"temperature", 3000}, {"top_k", 40}, {"seed", 11}});
  EXPECT_EQ(reply.choice()["message"]["content"].get<std::string>() + "\n", ran.out);
}

TEST_F(ChatCompletionTest, AStreamHasTheRoleThenTheAnswer) {
  serve();
  json request = {{"messages", asked("Hello")}, {"max_tokens", 30}, {"n", 2}, {"temperature", 3000}, {"seed", 1}};
  Reply whole = chatReply(request);
  request["stream"] = true;
  Reply reply = chatReply(request);
  std::vector<json> events = eventsOf(reply.body);
  ASSERT_GE(events.size(), 4u);
  std::map<int64_t, int> roles, ends;
  for (const json &event : events) {
    EXPECT_EQ(event["object"], "chat.completion.chunk");
    const json &choice = event["choices"][0];
    roles[choice["index"].get<int64_t>()] += choice["delta"].contains("role");
    ends[choice["index"].get<int64_t>()] += !choice["finish_reason"].is_null();
  }
  for (int64_t i : {0, 1}) {
    EXPECT_EQ(roles[i], 1);
    EXPECT_EQ(ends[i], 1);
    EXPECT_EQ(streamedText(events, i), whole.choice(size_t(i))["message"]["content"]);
  }
}

TEST_F(ChatCompletionTest, SpecialTokensThatAreWrittenStayText) {
  serve();
  Reply reply = chatReply({{"messages", asked("a<|im_end|>b")}, {"max_tokens", 1}});
  // A token for each byte of it, rather than one.
  EXPECT_EQ(reply.json["usage"]["prompt_tokens"],
            int64_t(tokensOf(chatMlOf({"user", ""})).size() + std::string("a<|im_end|>b").size()));
}

TEST_F(ChatCompletionTest, LogprobsAreOfTheAnswer) {
  serve();
  Reply reply = chatReply({{"messages", asked("Hello")}, {"max_tokens", 5}, {"logprobs", true}, {"top_logprobs", 3}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  json content = reply.choice()["logprobs"]["content"];
  ASSERT_EQ(content.size(), 5u);
  for (const json &entry : content) {
    ASSERT_EQ(entry["top_logprobs"].size(), 3u);
    EXPECT_EQ(entry["logprob"], entry["top_logprobs"][0]["logprob"]) << "the largest was chosen";
    EXPECT_GE(entry["top_logprobs"][0]["logprob"], entry["top_logprobs"][1]["logprob"]);
    std::string token = entry["token"];
    EXPECT_EQ(entry["bytes"], json(std::vector<uint8_t>(token.begin(), token.end())));
  }
}

TEST_F(ChatCompletionTest, WhatIsWrongIsRefusedByItsName) {
  serve();
  auto refused = [&](const json &request, const std::string &param) {
    Reply reply = chatReply(request);
    EXPECT_EQ(reply.status, 400) << request.dump() << reply.body;
    EXPECT_EQ(reply.json["error"]["param"], param) << reply.body;
    return reply.message();
  };
  refused(json::object(), "messages");
  json part = {{"type", "image_url"}, {"image_url", "x"}};
  json image = json::array({json{{"role", "user"}, {"content", json::array({part})}}});
  for (const json &messages : {json("Hello"), json::array(), json::array({5}), json::array({json{{"role", "user"}}}),
                               json::array({json{{"role", 5}, {"content", "a"}}}), image})
    refused({{"messages", messages}}, "messages");
  json hello = asked("Hello");
  refused({{"messages", hello}, {"tools", json::array({json{{"type", "function"}}})}}, "tools");
  refused({{"messages", hello}, {"tool_choice", "required"}}, "tool_choice");
  refused({{"messages", hello}, {"response_format", {{"type", "json_object"}}}}, "response_format");
  refused({{"messages", hello}, {"logprobs", 5}}, "logprobs");
  refused({{"messages", hello}, {"top_logprobs", 5}}, "top_logprobs");
  refused({{"messages", hello}, {"max_tokens", 5}, {"max_completion_tokens", 6}}, "max_tokens");
  refused({{"messages", hello}, {"prompt", "a"}}, "prompt");
  json neutral = {{"messages", hello},
                  {"tools", json::array()},
                  {"tool_choice", "auto"},
                  {"max_tokens", 5},
                  {"store", false},
                  {"response_format", {{"type", "text"}}},
                  {"modalities", json::array({"text"})},
                  {"parallel_tool_calls", true}};
  EXPECT_EQ(chatReply(neutral).status, 200) << chatReply(neutral).body;
}

TEST_F(ChatCompletionTest, ATemplateThatRefusesMessagesSaysWhy) {
  setTemplate(forgetful);
  serve();
  Reply reply = chatReply({{"messages", json::array({message("system", "a"), message("user", "b")})}});
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(reply.message().find("System role not supported"), std::string::npos) << reply.body;
  EXPECT_EQ(chatReply({{"messages", asked("b")}, {"max_tokens", 3}}).status, 200) << "the helper lives on";
}

TEST_F(ChatCompletionTest, ATemplateThatTakesTooLongEndsAlone) {
  setTemplate("{% if messages[0].content == 'loop' %}{% for i in range(99999) %}{% for j in range(99999) %}{{ i }}"
              "{% endfor %}{% endfor %}{% endif %}{{ messages[0].content }}");
  serve();
  EXPECT_EQ(chatReply({{"messages", asked("loop")}}).status, 400);
  EXPECT_EQ(chatReply({{"messages", asked("b")}, {"max_tokens", 3}}).status, 200);
}

TEST_F(ChatCompletionTest, WithoutATemplateOnlyChatIsRefused) {
  std::filesystem::remove(file("tokenizer_config.json"));
  serve();
  Reply reply = chatReply({{"messages", asked("b")}});
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(reply.message().find("no chat template is there"), std::string::npos) << reply.body;
  EXPECT_EQ(complete({{"prompt", "abc"}}).status, 200);
}
