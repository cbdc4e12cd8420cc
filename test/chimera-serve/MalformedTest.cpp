// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whatever comes, the server goes on, and says what is wrong.
#include "test/chimera-serve/ServeTool.h"
#include "test/support/LongMode.h"

#include <cmath>
#include <random>
#include <thread>

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {
class MalformedTest : public ServeTest {
protected:
  static std::string randomBytes(std::mt19937 &random, size_t most) {
    std::string bytes(random() % (most + 1), '\0');
    for (char &byte : bytes)
      byte = char(random());
    return bytes;
  }
  /// A value of JSON, of the kinds that fields have and of others.
  static json randomValue(std::mt19937 &random, int depth = 0) {
    switch (random() % (depth < 3 ? 11 : 8)) {
    case 0:
      return nullptr;
    case 1:
      return random() % 2 == 0;
    case 2:
      return int64_t(random() % 7) - 2;
    case 3:
      return std::ldexp(double(random()), int(random() % 80) - 60);
    case 4:
      return uint64_t(random()) << 32 | random();
    case 5:
      return -int64_t(uint64_t(random()) << 31);
    case 6:
      return std::string(random() % 5, char('a' + random() % 26));
    case 7:
      return "\xC3\xA9\xE2\x82\xAC";
    case 8:
    case 9: {
      json array = json::array();
      for (size_t i = random() % 4; i > 0; --i)
        array.push_back(randomValue(random, depth + 1));
      return array;
    }
    default: {
      json object = json::object();
      for (size_t i = random() % 3; i > 0; --i)
        object[randomField(random)] = randomValue(random, depth + 1);
      return object;
    }
    }
  }
  static std::string randomField(std::mt19937 &random) {
    static const std::vector<std::string> fields = {
        "prompt",       "messages", "role",  "content",     "max_tokens", "temperature", "top_p",
        "top_k",        "n",        "seed",  "stop",        "stream",     "logprobs",    "stream_options",
        "top_logprobs", "echo",     "model", "suffix",      "best_of",    "logit_bias",  "tools",
        "type",         "text",     "other", "speculation", "routing"};
    return fields[random() % fields.size()];
  }
  /// Expects that the server still answers as it should.
  void expectWell() {
    ASSERT_TRUE(server->alive()) << server->errors();
    EXPECT_EQ(complete({{"prompt", "abc"}}).choice()["text"], expectedText("abc", 16));
    EXPECT_EQ(countLines(server->errors()), 1) << server->errors();
  }
};
} // namespace

TEST_F(MalformedTest, RandomBytesEndNothing) {
  serve();
  std::mt19937 random(7);
  const std::string request = "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                              "Content-Length: 30\r\n\r\n{\"prompt\":\"abc\",\"max_tokens\":1}";
  int rounds = longMode() ? 3000 : 400;
  for (int i = 0; i < rounds; ++i) {
    std::string bytes = i % 2 ? randomBytes(random, 300) : request;
    if (i % 2 == 0) // A request with some bytes changed, or cut.
      for (size_t changes = 1 + random() % 4; changes > 0; --changes)
        bytes[random() % bytes.size()] = char(random());
    if (i % 3 == 0)
      bytes.resize(random() % (bytes.size() + 1));
    (void)raw(bytes, 0.002);
  }
  expectWell();
}

TEST_F(MalformedTest, RequestsThatAreNoneAreAnswered) {
  serve();
  for (const char *text : {
           "\r\n\r\nGET /health\r\n\r\n",
           "GET /health HTTP/9.9\r\n\r\n",
           "BREW /health HTTP/1.1\r\n\r\n",
           "GET /health HTTP/1.1\n\r\n\r\n",
           "GET /health HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
           "GET /health%00%ff%zz HTTP/1.1\r\n\r\n",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: abc\r\n\r\n",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: -1\r\n\r\n",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: "
           "chunked\r\n\r\nzz\r\n",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
           "ffffffffffffffff\r\nabc\r\n0\r\n\r\n",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
           "Content-Length: 5\r\n\r\nabcde",
       }) {
    std::string answer = raw(std::string(text) + "Connection: close\r\n\r\n", 0.3);
    EXPECT_EQ(answer.find(" 200 "), std::string::npos) << text << "\n" << answer;
    EXPECT_EQ(answer.compare(0, 5, "HTTP/"), 0) << text << "\n" << answer;
  }
  expectWell();
}

TEST_F(MalformedTest, RandomJsonIsAnsweredByAnErrorOrServed) {
  writeChat();
  serve({"--max-context", "40", "--timeout", "5"});
  std::mt19937 random(11);
  httplib::Client asking = client();
  asking.set_keep_alive(true);
  int rounds = longMode() ? 20000 : 3000, served = 0;
  for (int i = 0; i < rounds; ++i) {
    json request = json::object();
    bool chat = random() % 4 == 0;
    if (random() % 4)
      request[chat ? "messages" : "prompt"] = chat ? json::array({json{{"role", "user"}, {"content", "a"}}})
                                                   : json(random() % 2 ? json("abc") : json::array({1, 2}));
    for (size_t fields = random() % 3; fields > 0; --fields)
      request[randomField(random)] = randomValue(random);
    std::string body = request.dump();
    if (random() % 10 == 0)
      body[random() % body.size()] = char(random());
    auto result = asking.Post(chat ? "/v1/chat/completions" : "/v1/completions", body, "application/json");
    ASSERT_TRUE(result) << body;
    served += result->status == 200;
    ASSERT_TRUE(result->status == 200 || result->status == 400 || result->status == 404) << result->status << body;
    if (result->status == 200)
      continue;
    json answer = json::parse(result->body, nullptr, false);
    ASSERT_TRUE(answer.is_object()) << result->body;
    EXPECT_FALSE(answer["error"]["message"].get<std::string>().empty()) << body;
  }
  EXPECT_GT(served, rounds / 20) << "some are right";
  ASSERT_TRUE(server->alive()) << server->errors();
  EXPECT_EQ(metric("chimera_sequences_running"), 0);
}
