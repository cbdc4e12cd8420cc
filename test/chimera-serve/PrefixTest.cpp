// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Prompts that begin alike: less is fed, and nothing else changes.
#include "test/chimera-serve/ServeTool.h"

#include <future>
#include <random>

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {
class PrefixTest : public ServeTest {
protected:
  /// Asks for a prompt's continuation, and expects its text; how many tokens were not fed.
  int64_t ask(const std::string &prompt, json more = json::object()) {
    json request = {{"prompt", prompt}, {"max_tokens", 20}};
    request.update(more);
    Reply reply = complete(request);
    EXPECT_EQ(reply.status, 200) << reply.body;
    if (reply.status != 200)
      return -1;
    EXPECT_EQ(reply.choice()["text"], expectedText(prompt, 20));
    return reply.json["usage"]["prompt_tokens_details"]["cached_tokens"];
  }
};
} // namespace

TEST_F(PrefixTest, APromptThatBeginsAlikeIsNotFedAgain) {
  serve();
  const std::string first(200, 'a'), other = first.substr(0, 150) + std::string(100, 'b');
  EXPECT_EQ(ask(first), 0);
  EXPECT_EQ(ask(first), 192) << "its last whole page";
  EXPECT_EQ(ask(first + " and more"), 192);
  EXPECT_EQ(ask(other), 0) << "nothing is kept where it leaves the way of the first";
  EXPECT_EQ(ask(first.substr(0, 150) + std::string(100, 'c')), 128) << "now it is";
  EXPECT_EQ(ask(other), 192);
  EXPECT_EQ(ask(std::string(64, 'a')), 0) << "a token must be left";
  EXPECT_EQ(ask("short"), 0);
  EXPECT_TRUE(eventually([&] { return metric("chimera_prefix_hits_total") == 4; }));
  EXPECT_EQ(metric("chimera_prefix_tokens_total"), 192 + 192 + 128 + 192);
  EXPECT_GT(metric("chimera_prefix_bytes{mode=\"full\"}"), 0);
}

TEST_F(PrefixTest, LogprobsOfAPromptNeedAllOfIt) {
  serve();
  const std::string prompt(200, 'a');
  EXPECT_EQ(ask(prompt), 0);
  json more = {{"logprobs", 1}};
  EXPECT_EQ(ask(prompt, more), 192);
  Reply reply = complete({{"prompt", prompt}, {"max_tokens", 1}, {"logprobs", 1}, {"echo", true}});
  EXPECT_EQ(reply.choice()["logprobs"]["token_logprobs"].size(), 201u);
  EXPECT_EQ(reply.json["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
}

TEST_F(PrefixTest, WhatIsKeptMakesRoomForWhatRuns) {
  // Room for 10 pages in all lists and two sequences, as in QueueTest.
  serve({"--memory-limit", std::to_string(2 * 112 + 10 * 512)});
  EXPECT_EQ(ask(std::string(130, 'a')), 0);
  EXPECT_EQ(ask(std::string(130, 'a')), 128);
  EXPECT_EQ(ask(std::string(600, 'b')), 0) << "takes the memory of all that is kept";
  EXPECT_EQ(ask(std::string(130, 'a')), 0);
}

TEST_F(PrefixTest, NoMoreAreKeptThanIsSaid) {
  serve({"--prefix-cache", "2"});
  for (char letter : {'a', 'b', 'c'})
    EXPECT_EQ(ask(std::string(100, letter)), 0);
  EXPECT_EQ(ask(std::string(100, 'c')), 64);
  EXPECT_EQ(ask(std::string(100, 'a')), 0) << "the oldest went";
  server.reset();
  serve({"--prefix-cache", "0"});
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(ask(std::string(100, 'a')), 0);
}

TEST_F(PrefixTest, ManyPromptsThatShareTheirBeginningsHaveTheirOwnTexts) {
  serve({"--prefix-cache", "5", "--max-sequences", "8", "--step-tokens", "50", "--queue", "1000"});
  std::mt19937 random(9);
  std::vector<std::string> prompts;
  for (int i = 0; i < 60; ++i) {
    std::string prompt;
    for (int part = 0, parts = 1 + int(random() % 4); part < parts; ++part)
      prompt += std::string(40 + 30 * (random() % 2), char('a' + random() % 2));
    prompts.push_back(prompt);
  }
  std::vector<std::future<Reply>> replies;
  for (const std::string &prompt : prompts)
    replies.push_back(std::async(std::launch::async, [&] {
      return complete({{"prompt", prompt}, {"max_tokens", 20}, {"temperature", 3000}, {"seed", 4}, {"n", 2}});
    }));
  SamplerOptions options{3000, 0, 1, 4};
  for (size_t i = 0; i < prompts.size(); ++i) {
    Reply reply = replies[i].get();
    for (size_t c : {0, 1})
      EXPECT_EQ(reply.choice(c)["text"], expectedText(prompts[i], 20, options, c)) << prompts[i];
  }
  EXPECT_TRUE(eventually([&] { return metric("chimera_prefix_hits_total") > 0; }));
}
