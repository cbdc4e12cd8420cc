// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The field `routing`: where tokens went, as chimera-run writes it.
#include "test/chimera-serve/ServeTool.h"

#include <thread>

using namespace chimera;
using namespace chimera::test;
namespace toy = chimera::runtime::toy;
using io::DType;
using nlohmann::json;

namespace {
class RoutingTest : public ServeTest {
protected:
  /// A digit for each layer of each token, by chimera-run.
  std::vector<std::string> modesOf(const std::vector<int32_t> &tokens) const {
    auto count = int64_t(tokens.size());
    ProcessResult ran = run({"--tokens", npy("t.npy", DType::I32, {1, count}, tokens), "--routing", file("r.npy")});
    EXPECT_EQ(ran.status, 0) << ran.describe();
    std::vector<int8_t> routing = load<int8_t>("r.npy", DType::I8, {1, count, toy::layers});
    std::vector<std::string> modes;
    for (size_t t = 0; t < tokens.size(); ++t) {
      modes.emplace_back();
      for (size_t layer = 0; layer < toy::layers; ++layer)
        modes.back() += char('0' + routing[t * toy::layers + layer]);
    }
    return modes;
  }

  /// The parts of a stream's routing put together, as the answer that is no stream has it.
  static json together(const std::vector<json> &events) {
    json all;
    for (const json &event : events)
      for (const json &choice : event["choices"]) {
        if (!choice.contains("routing"))
          continue;
        const json &part = choice["routing"];
        if (all.is_null()) {
          all = part;
          continue;
        }
        EXPECT_EQ(part["position"], all["position"].get<size_t>() + all["tokens"].size());
        for (const char *field : {"tokens", "texts", "modes"})
          all[field].insert(all[field].end(), part[field].begin(), part[field].end());
        all["cache"] = part["cache"];
      }
    return all;
  }
};
} // namespace

TEST_F(RoutingTest, IsWhatChimeraRunWrites) {
  serve();
  const std::string prompt = "The quick brown fox";
  json request = {{"prompt", prompt}, {"max_tokens", 40}, {"routing", true}};
  json choice = complete(request).choice(), routing = choice["routing"];
  std::vector<int32_t> tokens = bytesOf(prompt);
  for (int32_t token : chosen(tokens, 39, {})) // The last new token is fed to nobody.
    tokens.push_back(token);
  EXPECT_EQ(routing["prompt_tokens"], prompt.size());
  EXPECT_EQ(routing["position"], 0);
  EXPECT_EQ(routing["tokens"], tokens);
  EXPECT_EQ(routing["modes"], modesOf(tokens));
  EXPECT_EQ(routing["texts"][0], "T");
  EXPECT_EQ(routing["cache"]["position"], tokens.size());
  EXPECT_GT(routing["cache"]["used"]["ssm"], 0);
  EXPECT_GE(routing["cache"]["reserved"]["full"], routing["cache"]["used"]["full"]);

  request["stream"] = true;
  std::vector<json> events = eventsOf(complete(request).body);
  EXPECT_EQ(together(events), routing);
  EXPECT_EQ(streamedText(events), choice["text"]);
  EXPECT_FALSE(events.back()["choices"][0]["finish_reason"].is_null()) << "the last event of a choice says why";

  request.erase("routing");
  EXPECT_FALSE(complete(request).body.find("routing") != std::string::npos);
}

TEST_F(RoutingTest, EveryChoiceHasItsOwnBehindThePrompt) {
  serve();
  SamplerOptions options{3000, 0, 1, 5};
  json request = {{"prompt", "abc"}, {"max_tokens", 20},    {"routing", true},
                  {"n", 3},          {"temperature", 3000}, {"seed", 5}};
  Reply reply = complete(request);
  for (size_t c = 0; c < 3; ++c) {
    std::vector<int32_t> tokens = bytesOf("abc");
    for (int32_t token : chosen(tokens, 19, options, c))
      tokens.push_back(token);
    EXPECT_EQ(reply.choice(c)["routing"]["tokens"], tokens);
    EXPECT_EQ(reply.choice(c)["routing"]["modes"], modesOf(tokens));
  }
}

TEST_F(RoutingTest, BeginsBehindWhatWasKept) {
  serve();
  json request = {{"prompt", std::string(100, 'x')}, {"max_tokens", 5}, {"routing", true}};
  json whole = complete(request).choice()["routing"], rest = complete(request).choice()["routing"];
  EXPECT_EQ(rest["position"], 64);
  EXPECT_EQ(rest["prompt_tokens"], 100);
  EXPECT_EQ(rest["modes"], json(std::vector<json>(whole["modes"].begin() + 64, whole["modes"].end())));
  EXPECT_EQ(rest["cache"], whole["cache"]);
}

TEST_F(RoutingTest, IsGivenOfAnswersToo) {
  writeChat();
  serve();
  Reply reply = chatReply({{"messages", {{{"role", "user"}, {"content", "Hello"}}}},
                           {"max_tokens", 10},
                           {"routing", true},
                           {"stream", true}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  json routing = together(eventsOf(reply.body));
  std::vector<int32_t> tokens = routing["tokens"];
  EXPECT_EQ(routing["modes"], modesOf(tokens));
  EXPECT_LT(routing["prompt_tokens"], tokens.size());
}

TEST_F(RoutingTest, OthersRequestsInTheSameStepsHaveNone) {
  serve();
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i)
    others.emplace_back([&] {
      Reply reply = complete({{"prompt", "abcdef"}, {"max_tokens", 100}});
      EXPECT_EQ(reply.choice()["text"], expectedText("abcdef", 100));
      EXPECT_FALSE(reply.choice().contains("routing"));
    });
  json request = {{"prompt", "ghi"}, {"max_tokens", 60}, {"routing", true}};
  json routing = complete(request).choice()["routing"];
  for (std::thread &other : others)
    other.join();
  EXPECT_EQ(complete(request).choice()["routing"], routing);
}
