// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Guessed tokens: the text, its logprobs and its modes are what they are without, and steps are saved.
#include "test/chimera-serve/ServeTool.h"

#include <numeric>

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {
class SpeculationTest : public ServeTest {
protected:
  /// A model whose texts have three letters, so that they repeat themselves. At temperature 0 most letters are equal;
  /// at 20 they are of two kinds; at 3000 all three are as likely.
  static constexpr int letters = 3;

  SpeculationTest() { writeWeights(vocab, -1, letters); }

  json request(double temperature, json more = json::object()) const {
    json made = {{"prompt", prompt}, {"max_tokens", 150}, {"temperature", temperature}, {"seed", 3}};
    made.update(more);
    return made;
  }

  int64_t proposed() const { return metric("chimera_speculation_proposed_tokens_total"); }
  int64_t accepted() const { return metric("chimera_speculation_accepted_tokens_total"); }
  int64_t steps() const { return metric("chimera_step_seconds_count"); }

  const std::string prompt = "abcabcabcaabbcc";
};
} // namespace

TEST_F(SpeculationTest, TheTextIsTheSameAtEveryTemperature) {
  serve();
  for (double temperature : {0.0, 20.0, 200.0, 3000.0})
    for (json guesses : {json(true), json(1), json(3), json(64)})
      for (bool stream : {false, true}) {
        SamplerOptions options{temperature, 0, 1, 3};
        Reply reply = complete(request(temperature, {{"speculation", guesses}, {"stream", stream}, {"n", 2}}));
        ASSERT_EQ(reply.status, 200) << reply.body;
        for (size_t c : {0, 1}) {
          std::string text =
              stream ? streamedText(eventsOf(reply.body), int64_t(c)) : reply.choice(c)["text"].get<std::string>();
          EXPECT_EQ(text, expectedText(prompt, 150, options, c, letters)) << temperature << " " << guesses;
        }
      }
  EXPECT_GT(accepted(), 100);
  EXPECT_GT(proposed(), accepted()) << "some guesses were wrong";
  EXPECT_GT(metric("chimera_speculation_rollbacks_total"), 0);
  EXPECT_GE(metric("chimera_speculation_repeated_tokens_total"), metric("chimera_speculation_rollbacks_total") / 2);
}

TEST_F(SpeculationTest, LogprobsModesAndEndsAreTheSame) {
  serve();
  for (double temperature : {0.0, 20.0, 3000.0}) {
    json more = {{"logprobs", 2}, {"routing", true}, {"stop", json::array({"acb"})}};
    json without = complete(request(temperature, more)).choice();
    more["speculation"] = 8;
    json with = complete(request(temperature, more)).choice();
    for (const char *field : {"text", "logprobs", "finish_reason"})
      EXPECT_EQ(with[field], without[field]) << temperature;
    for (const char *field : {"position", "tokens", "texts", "modes"})
      EXPECT_EQ(with["routing"][field], without["routing"][field]) << temperature;
  }
}

TEST_F(SpeculationTest, SavesTheStepsThatItSays) {
  writeWeights(vocab, -1, 1); // One letter again and again.
  serve({"--prefix-cache", "0"});
  int64_t begin = steps();
  json without = complete(request(0, {{"prompt", "a"}})).json;
  int64_t middle = steps();
  json with = complete(request(0, {{"prompt", "a"}, {"speculation", 8}})).json;
  EXPECT_EQ(without["choices"], with["choices"]);
  EXPECT_EQ(middle - begin, 150);
  int64_t saved = 150 - (steps() - middle);
  EXPECT_GT(saved, 100);
  EXPECT_EQ(saved, accepted());
  EXPECT_EQ(with["usage"]["completion_tokens_details"]["accepted_prediction_tokens"], accepted());
  EXPECT_EQ(with["usage"]["completion_tokens_details"]["rejected_prediction_tokens"], proposed() - accepted());
  EXPECT_FALSE(without["usage"].contains("completion_tokens_details"));
}

TEST_F(SpeculationTest, NothingIsGuessedBeyondTheMemoryPlan) {
  // A sequence of 15 + 150 tokens takes a slot of 112 bytes and 3 pages of 256 in each of two lists; a copy of it a
  // slot and a page of each.
  const int64_t one = 112 + 3 * 512, copy = 112 + 512;
  SamplerOptions options{0, 0, 1, 3};
  for (int64_t limit : {one, one + copy - 1, one + copy}) {
    serve({"--memory-limit", std::to_string(limit), "--speculation", "8", "--prefix-cache", "0"});
    Reply reply = complete(request(0));
    EXPECT_EQ(reply.choice()["text"], expectedText(prompt, 150, options, 0, letters));
    EXPECT_EQ(proposed() > 0, limit == one + copy) << limit;
  }
}

TEST_F(SpeculationTest, GuessesTakeWhatTheBudgetLeaves) {
  SamplerOptions options{0, 0, 1, 3};
  for (const char *tokens : {"1", "2", "1000"}) {
    serve({"--step-tokens", tokens, "--speculation", "8", "--prefix-cache", "0"});
    EXPECT_EQ(complete(request(0)).choice()["text"], expectedText(prompt, 150, options, 0, letters));
    EXPECT_EQ(proposed() > 0, std::string(tokens) != "1");
    // No step has more tokens than the budget.
    EXPECT_LE(metric("chimera_step_tokens_total"), steps() * std::stoll(tokens));
  }
}

TEST_F(SpeculationTest, RequestsSayWhetherAndTheServerOtherwise) {
  serve();
  (void)complete(request(0));
  EXPECT_EQ(proposed(), 0);
  serve({"--speculation", "4"});
  (void)complete(request(0, {{"speculation", false}}));
  (void)complete(request(0, {{"speculation", 0}}));
  EXPECT_EQ(proposed(), 0);
  (void)complete(request(0));
  EXPECT_GT(proposed(), 0);
  for (json wrong : {json("yes"), json(-1), json(65), json(1.5), json::array()}) {
    Reply reply = complete(request(0, {{"speculation", wrong}}));
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.json["error"]["param"], "speculation") << wrong;
  }
}
