// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A request's text is the same whatever is served beside it: what it is alone, what chimera-run makes, and what the
// toy model's definition says.
#include "test/chimera-serve/ServeTool.h"
#include "test/support/LongMode.h"

#include "runtime/text/Utf8.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <random>
#include <thread>

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {
class TogetherTest : public ServeTest {
protected:
  struct Asked {
    json request;
    std::vector<std::string> texts; ///< Of each choice.
    bool leaves = false;            ///< The client goes before the end.
  };

  /// A request of any length and sampling, and its texts by the definition of the toy model, whose weights have so many
  /// `letters`. Some prompts begin alike, and some requests have guesses.
  static Asked randomRequest(std::mt19937 &random, int letters = 26) {
    Asked asked;
    std::string prompt(1 + random() % 120, ' ');
    for (char &byte : prompt)
      byte = letters == 26 ? char(' ' + random() % 95) : char('a' + random() % size_t(letters));
    if (random() % 2)
      prompt.insert(0, 70 + 40 * (random() % 3), "xyz"[random() % 3]);
    SamplerOptions sampler;
    sampler.seed = random() % 5;
    if (random() % 3)
      sampler.temperature = double(500 * (1 + random() % 8));
    if (random() % 2)
      sampler.topK = int64_t(1 + random() % 100);
    if (random() % 2)
      sampler.topP = 0.5 + 0.0625 * double(random() % 8);
    size_t tokens = 1 + random() % 100, choices = random() % 4 ? 1 : 2;
    for (size_t c = 0; c < choices; ++c)
      asked.texts.push_back(expectedText(prompt, tokens, sampler, c, letters));
    asked.request = {
        {"prompt", prompt},      {"max_tokens", tokens},  {"seed", sampler.seed}, {"temperature", sampler.temperature},
        {"top_k", sampler.topK}, {"top_p", sampler.topP}, {"n", choices},         {"stream", random() % 2 == 0}};
    if (size_t guesses = random() % 4)
      asked.request["speculation"] = guesses == 1 ? json(true) : guesses == 2 ? json(false) : json(random() % 20);
    asked.leaves = random() % 6 == 0;
    if (asked.leaves)
      asked.request["max_tokens"] = 300000;
    return asked;
  }

  static std::vector<std::string> textsOf(const Asked &asked, const Reply &reply) {
    std::vector<std::string> texts;
    if (asked.request["stream"].get<bool>()) {
      std::vector<json> events = eventsOf(reply.body);
      for (size_t c = 0; c < asked.texts.size(); ++c)
        texts.push_back(streamedText(events, int64_t(c)));
    } else {
      for (size_t c = 0; c < asked.texts.size(); ++c)
        texts.push_back(reply.choice(c)["text"].get<std::string>());
    }
    return texts;
  }

  /// Asks, and goes away after a moment, whether or not parts of the answer keep coming.
  void leave(const Asked &asked) const {
    constexpr auto moment = std::chrono::milliseconds(30);
    httplib::Client asking = client();
    asking.set_read_timeout(moment);
    auto end = std::chrono::steady_clock::now() + moment;
    httplib::Request request;
    request.method = "POST";
    request.path = "/v1/completions";
    request.set_header("Content-Type", "application/json");
    request.body = asked.request.dump();
    request.content_receiver = [end](const char *, size_t, uint64_t, uint64_t) {
      return std::chrono::steady_clock::now() < end;
    };
    (void)asking.send(request);
  }

  /// Sends all requests from `clients` threads at once.
  void askTogether(const std::vector<Asked> &all, size_t clients) {
    std::vector<std::thread> threads;
    std::vector<Reply> replies(all.size());
    std::atomic<size_t> next{0};
    for (size_t t = 0; t < clients; ++t)
      threads.emplace_back([&] {
        for (size_t i; (i = next++) < all.size();) {
          if (all[i].leaves)
            leave(all[i]);
          else
            replies[i] = complete(all[i].request);
        }
      });
    for (std::thread &thread : threads)
      thread.join();
    for (size_t i = 0; i < all.size(); ++i)
      if (!all[i].leaves) {
        ASSERT_EQ(replies[i].status, 200) << replies[i].body;
        EXPECT_EQ(textsOf(all[i], replies[i]), all[i].texts) << all[i].request.dump();
      }
  }
};
} // namespace

TEST_F(TogetherTest, EachTextIsWhatTheModelMakesOfItAlone) {
  std::mt19937 random(2026);
  std::vector<Asked> all;
  for (int i = 0; i < (longMode() ? 200 : 48); ++i)
    all.push_back(randomRequest(random));
  for (const std::vector<std::string> &options :
       std::vector<std::vector<std::string>>{{"--max-sequences", "16"},
                                             {"--max-sequences", "2", "--step-tokens", "3"},
                                             {"--max-sequences", "64", "--step-tokens", "1000", "--threads", "2"}}) {
    std::vector<std::string> given = options;
    given.insert(given.end(), {"--queue", "1000"});
    serve(given);
    askTogether(all, 24);
    EXPECT_TRUE(eventually([&] { return metric("chimera_sequences_running") == 0; }));
    EXPECT_EQ(metric("chimera_requests_queued"), 0);
    server->signal(SIGTERM);
    EXPECT_EQ(server->wait(), 0);
  }
}

TEST_F(TogetherTest, SoItIsWithGuessesKeptBeginningsAndAfterARestart) {
  writeWeights(vocab, -1, 3); // Texts of three letters repeat themselves.
  std::mt19937 random(17);
  std::vector<Asked> all;
  for (int i = 0; i < (longMode() ? 200 : 32); ++i)
    all.push_back(randomRequest(random, 3));
  const std::vector<std::string> options = {"--max-sequences", "16",   "--queue",       "1000",
                                            "--step-tokens",   "1000", "--speculation", "8"};
  for (int run = 0; run < 2; ++run) {
    serve(options); // The second time after the first was killed.
    askTogether(all, longMode() ? 200 : 24);
    EXPECT_TRUE(eventually([&] { return metric("chimera_sequences_running") == 0; }));
    EXPECT_TRUE(eventually([&] { return metric("chimera_prefix_hits_total") > 0; }));
    EXPECT_GT(metric("chimera_speculation_accepted_tokens_total"), 0);
    EXPECT_GT(metric("chimera_speculation_rollbacks_total"), 0);
  }
  // What is left of what was guessed and taken back: nothing but the beginnings that are kept.
  std::mt19937 again(18);
  serve({"--prefix-cache", "0", "--speculation", "8", "--max-sequences", "16", "--queue", "1000"});
  askTogether({randomRequest(again, 3), randomRequest(again, 3), randomRequest(again, 3)}, 3);
  EXPECT_TRUE(eventually([&] { return metric("chimera_sequences_running") == 0; }));
  for (const char *mode : {"ssm", "swa", "full", "route"})
    EXPECT_TRUE(eventually([&] {
      return metric("chimera_cache_reserved_bytes{mode=\"" + std::string(mode) + "\"}") == 0;
    })) << mode;
}

TEST_F(TogetherTest, LogprobsHaveTheSameBitsHoweverTheWorkIsCut) {
  json request = {{"prompt", std::string(100, 'a') + "bc"}, {"logprobs", 3}, {"echo", true}, {"max_tokens", 10}};
  json first;
  for (const char *tokens : {"1", "3", "1000"}) {
    serve({"--step-tokens", tokens, "--max-sequences", "8"});
    std::vector<std::thread> others;
    for (int i = 0; i < 4; ++i)
      others.emplace_back([&] { (void)complete({{"prompt", "The quick"}, {"max_tokens", 200}}); });
    json scores = complete(request).choice()["logprobs"];
    for (std::thread &other : others)
      other.join();
    if (first.is_null())
      first = scores;
    EXPECT_EQ(scores, first) << tokens;
  }
}

TEST_F(TogetherTest, ChimeraRunMakesTheSame) {
  serve();
  std::mt19937 random(5);
  for (int i = 0; i < 8; ++i) {
    Asked asked = randomRequest(random);
    const json &request = asked.request;
    writeFile(file("prompt"), request["prompt"].get<std::string>());
    ProcessResult ran = run({"--prompt-file", file("prompt"), "--max-new-tokens",
                             std::to_string(asked.leaves ? 50 : request["max_tokens"].get<int>()), "--seed",
                             request["seed"].dump(), "--temperature", request["temperature"].dump(), "--top-k",
                             request["top_k"].dump(), "--top-p", request["top_p"].dump()});
    ASSERT_EQ(ran.status, 0) << ran.err;
    json wanted = request;
    wanted["stream"] = false;
    if (asked.leaves)
      wanted["max_tokens"] = 50;
    EXPECT_EQ(request["prompt"].get<std::string>() + complete(wanted).choice()["text"].get<std::string>() + "\n",
              text::wellFormed(ran.out));
  }
}
