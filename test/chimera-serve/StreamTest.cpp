// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Answers as server-sent events: the same as those that come at once.
#include "test/chimera-serve/ServeTool.h"

#include "tools/chimera-serve/TextStream.h"

#include <map>

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {
class StreamTest : public ServeTest {};
} // namespace

TEST_F(StreamTest, AStreamHasTheTextOfTheAnswer) {
  serve();
  for (json request :
       {json{{"prompt", "abc"}, {"seed", 1}, {"temperature", 3000}, {"max_tokens", 50}},
        json{{"prompt", {"abc", "The quick"}}, {"seed", 1}, {"temperature", 3000}, {"n", 2}, {"max_tokens", 50}},
        json{{"prompt", "abc"}, {"echo", true}, {"max_tokens", 5}, {"logprobs", 2}},
        json{{"prompt", "abc"}, {"echo", true}, {"max_tokens", 0}, {"logprobs", 1}},
        json{{"prompt", "abc"}, {"max_tokens", 0}},
        json{{"prompt", "abc"}, {"stop", expectedText("abc", 30).substr(20, 2)}, {"max_tokens", 50}}}) {
    Reply whole = complete(request);
    ASSERT_EQ(whole.status, 200) << whole.body;
    request["stream"] = true;
    Reply reply = complete(request);
    EXPECT_EQ(reply.status, 200);
    auto type = reply.headers.find("Content-Type");
    ASSERT_NE(type, reply.headers.end());
    EXPECT_EQ(type->second, "text/event-stream");
    std::vector<json> events = eventsOf(reply.body);
    size_t finished = 0;
    std::map<int64_t, json> scores;
    for (const json &event : events) {
      EXPECT_EQ(event["object"], "text_completion");
      EXPECT_EQ(event["id"], events.front()["id"]);
      EXPECT_FALSE(event.contains("usage"));
      ASSERT_EQ(event["choices"].size(), 1u);
      const json &choice = event["choices"][0];
      finished += !choice["finish_reason"].is_null();
      if (!choice["finish_reason"].is_null())
        EXPECT_EQ(choice["finish_reason"], whole.choice(choice["index"].get<size_t>())["finish_reason"]);
      if (choice["logprobs"].is_object())
        for (const auto &[field, values] : choice["logprobs"].items())
          for (const json &value : values)
            scores[choice["index"].get<int64_t>()][field].push_back(value);
    }
    EXPECT_EQ(finished, whole.json["choices"].size());
    for (size_t i = 0; i < whole.json["choices"].size(); ++i) {
      EXPECT_EQ(streamedText(events, int64_t(i)), whole.choice(i)["text"]);
      EXPECT_EQ(scores[int64_t(i)], whole.choice(i)["logprobs"]);
    }
  }
}

TEST_F(StreamTest, UsageComesLastWhereItIsAskedFor) {
  serve();
  Reply reply =
      complete({{"prompt", "abc"}, {"stream", true}, {"stream_options", {{"include_usage", true}}}, {"max_tokens", 7}});
  std::vector<json> events = eventsOf(reply.body);
  ASSERT_GE(events.size(), 2u);
  for (size_t i = 0; i + 1 < events.size(); ++i)
    EXPECT_TRUE(events[i]["usage"].is_null());
  EXPECT_EQ(events.back()["choices"], json::array());
  EXPECT_EQ(events.back()["usage"], json({{"prompt_tokens", 3},
                                          {"completion_tokens", 7},
                                          {"total_tokens", 10},
                                          {"prompt_tokens_details", {{"cached_tokens", 0}}}}));
}

TEST_F(StreamTest, TheFirstPartsComeBeforeTheLastAreMade) {
  serve();
  httplib::Client asking = client();
  httplib::Request request;
  request.method = "POST";
  request.path = "/v1/completions";
  request.set_header("Content-Type", "application/json");
  request.body = json{{"prompt", "abc"}, {"stream", true}, {"max_tokens", 1000000}}.dump();
  size_t received = 0;
  request.content_receiver = [&](const char *, size_t count, uint64_t, uint64_t) {
    received += count;
    return received < 2000; // Then this client goes.
  };
  (void)asking.send(request);
  EXPECT_GE(received, 2000u);
  asking.stop();
  EXPECT_TRUE(eventually([&] { return metric("chimera_requests_cancelled_total") == 1; }))
      << "the request was given up";
  EXPECT_TRUE(eventually([&] { return metric("chimera_sequences_running") == 0; }));
}

TEST_F(StreamTest, ACharacterOfSeveralTokensComesAsAWhole) {
  // The decoder of bytes: what a stream sends is UTF-8, however the bytes come.
  struct Bytes : text::StreamDecoder {
    io::Result<std::string> push(int64_t id) override { return std::string(1, char(id)); }
    io::Result<std::string> flush() override { return std::string(); }
  };
  serve::TextStream stream(std::make_unique<Bytes>(), {"\xE2\x82\xAC!"});
  std::vector<std::string> parts;
  for (char byte : std::string("a\xE2\x82\xAC\xC3\xFF\xF0\x9F"))
    parts.push_back(*stream.push(uint8_t(byte)));
  EXPECT_EQ(parts, (std::vector<std::string>{"a", "", "", "", "\xE2\x82\xAC", "\xEF\xBF\xBD\xEF\xBF\xBD", "", ""}));
  EXPECT_EQ(*stream.end(), "\xEF\xBF\xBD");
}
