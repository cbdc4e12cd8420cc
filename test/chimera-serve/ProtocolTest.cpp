// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is not a completion: the other endpoints, what HTTP refuses, keys, limits, connections.
#include "test/chimera-serve/ServeTool.h"

#include "tools/chimera-serve/ApiKeys.h"

#include <thread>
#include <unistd.h>

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {
class ProtocolTest : public ServeTest {
protected:
  /// Expects an error in OpenAI's form.
  static void expectError(const Reply &reply, int status, const std::string &type) {
    EXPECT_EQ(reply.status, status) << reply.body;
    ASSERT_TRUE(reply.json.is_object()) << reply.body;
    const json &error = reply.json["error"];
    EXPECT_EQ(error["type"], type) << reply.body;
    for (const char *field : {"message", "param", "code"})
      EXPECT_TRUE(error.contains(field)) << reply.body;
    EXPECT_FALSE(error["message"].get<std::string>().empty());
  }
  static std::string header(const Reply &reply, const std::string &name) {
    auto found = reply.headers.find(name);
    return found == reply.headers.end() ? "" : found->second;
  }
  ProcessResult runServe(const std::vector<std::string> &options) const {
    return runProcess(serveCommand(options), 60);
  }
};
} // namespace

TEST_F(ProtocolTest, ModelsAndHealthAreTold) {
  serve();
  Reply models = get("/v1/models");
  EXPECT_EQ(models.status, 200);
  EXPECT_EQ(models.json["object"], "list");
  ASSERT_EQ(models.json["data"].size(), 1u);
  EXPECT_EQ(models.json["data"][0]["id"], "m");
  EXPECT_EQ(models.json["data"][0]["object"], "model");
  EXPECT_EQ(get("/v1/models/m").json, models.json["data"][0]);
  expectError(get("/v1/models/other"), 404, "not_found_error");
  EXPECT_EQ(get("/health").json, json({{"status", "ok"}}));
  auto head = client().Head("/health");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 200);
}

TEST_F(ProtocolTest, MetricsCountWhatWasDone) {
  serve();
  EXPECT_EQ(complete({{"prompt", "abcde"}, {"max_tokens", 10}}).status, 200);
  EXPECT_EQ(complete({{"prompt", 5}}).status, 400);
  Reply reply = get("/metrics");
  EXPECT_EQ(header(reply, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(metric("chimera_prompt_tokens_total"), 5);
  EXPECT_EQ(metric("chimera_generated_tokens_total"), 10);
  EXPECT_EQ(metric("chimera_step_tokens_total"), 14) << "the last token is not fed";
  EXPECT_EQ(metric("chimera_step_seconds_count"), 10);
  EXPECT_EQ(metric("chimera_time_to_first_token_seconds_count"), 1);
  for (const char *status : {"200", "400"}) // Counted when the answer has been sent.
    EXPECT_TRUE(eventually([&] {
      return metric("chimera_requests_total{endpoint=\"/v1/completions\",status=\"" + std::string(status) + "\"}") == 1;
    }));
  EXPECT_TRUE(eventually([&] { return metric("chimera_sequences_running") == 0; }));
  for (const char *mode : {"ssm", "swa", "full", "token_conv", "route"}) {
    EXPECT_EQ(metric(std::string("chimera_cache_reserved_bytes{mode=\"") + mode + "\"}"), 0) << "nothing runs";
    EXPECT_EQ(metric(std::string("chimera_cache_planned_bytes{mode=\"") + mode + "\"}"), 0);
    EXPECT_EQ(metric(std::string("chimera_cache_used_bytes{mode=\"") + mode + "\"}"), 0);
  }
  // Each line is a comment or a sample.
  size_t lines = 0;
  for (size_t at = 0, end; at < reply.body.size(); at = end + 1, ++lines) {
    end = reply.body.find('\n', at);
    ASSERT_NE(end, std::string::npos);
    std::string line = reply.body.substr(at, end - at);
    EXPECT_TRUE(line[0] == '#' || line.compare(0, 8, "chimera_") == 0) << line;
  }
  EXPECT_GT(lines, 50u);
}

TEST_F(ProtocolTest, WhatIsRunningIsSeenInTheMetrics) {
  serve({"--memory-limit", "64M"});
  int busy = occupy({{"stream", true}, {"max_tokens", 1000000}});
  EXPECT_TRUE(eventually([&] {
    return metric("chimera_sequences_running") == 1 && metric("chimera_cache_used_bytes{mode=\"full\"}") > 0;
  }));
  EXPECT_GE(metric("chimera_cache_planned_bytes{mode=\"full\"}"),
            metric("chimera_cache_reserved_bytes{mode=\"full\"}"));
  EXPECT_GE(metric("chimera_cache_limit_bytes"), metric("chimera_cache_planned_bytes{mode=\"full\"}"));
  ::close(busy);
  EXPECT_TRUE(eventually([&] { return metric("chimera_sequences_running") == 0; }));
}

TEST_F(ProtocolTest, WhatIsNotThereIsRefused) {
  serve();
  expectError(get("/v1/other"), 404, "not_found_error");
  expectError(post("/v2/completions", "{}"), 404, "not_found_error");
  Reply wrong = get("/v1/completions");
  expectError(wrong, 405, "invalid_request_error");
  EXPECT_EQ(header(wrong, "Allow"), "POST");
  wrong = post("/v1/models", "{}");
  expectError(wrong, 405, "invalid_request_error");
  EXPECT_EQ(header(wrong, "Allow"), "GET");
  auto deleted = client().Delete("/health");
  ASSERT_TRUE(deleted);
  EXPECT_EQ(deleted->status, 405);
  auto typed = client().Post("/v1/completions", R"({"prompt":"a"})", "text/plain");
  ASSERT_TRUE(typed);
  EXPECT_EQ(typed->status, 415);
  EXPECT_NE(raw("POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\r\n").find(" 411 "),
            std::string::npos);
}

TEST_F(ProtocolTest, LimitsOfBodyAndHeadersAreKept) {
  serve({"--max-body", "10K"});
  json small = {{"prompt", std::string(5000, 'a')}, {"max_tokens", 1}};
  json large = {{"prompt", std::string(11000, 'a')}, {"max_tokens", 1}};
  EXPECT_EQ(complete(small).status, 200);
  expectError(complete(large), 413, "invalid_request_error");
  // The same in chunks, of which nobody says how many come.
  auto chunked = [&](const std::string &body) {
    size_t at = 0;
    return client().Post(
        "/v1/completions", httplib::Headers{},
        [&](size_t, httplib::DataSink &sink) {
          size_t count = std::min<size_t>(body.size() - at, 700);
          sink.write(body.data() + at, count);
          at += count;
          if (at == body.size())
            sink.done();
          return true;
        },
        "application/json");
  };
  auto fits = chunked(small.dump());
  ASSERT_TRUE(fits);
  EXPECT_EQ(fits->status, 200);
  auto exceeds = chunked(large.dump());
  ASSERT_TRUE(exceeds);
  EXPECT_EQ(exceeds->status, 413);
  std::string many = "GET /health HTTP/1.1\r\n";
  for (int i = 0; i < 2000; ++i)
    many += "X-Header-" + std::to_string(i) + ": something that is long\r\n";
  EXPECT_NE(raw(many + "\r\n").find(" 431 "), std::string::npos);
  EXPECT_NE(raw("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n\r\n").find(" 414 "), std::string::npos);
  EXPECT_EQ(get("/health").status, 200);
}

TEST_F(ProtocolTest, ACompressedBodyThatGrowsIsStillLimited) {
  serve({"--max-body", "10K"});
  httplib::Client asking = client();
  asking.set_compress(true);
  auto small = asking.Post("/v1/completions", json{{"prompt", std::string(5000, 'a')}, {"max_tokens", 1}}.dump(),
                           "application/json");
  ASSERT_TRUE(small);
  EXPECT_EQ(small->status, 200) << small->body;
  auto large = asking.Post("/v1/completions", json{{"prompt", std::string(1000000, 'a')}}.dump(), "application/json");
  ASSERT_TRUE(large);
  EXPECT_EQ(large->status, 413);
}

TEST_F(ProtocolTest, AKeyIsNeededWhereOneIsSet) {
  writeFile(file("keys"), "# of two users\n\nfirst-key\nsecond-key\r\n");
  serve({"--api-key", "third-key", "--api-key-file", file("keys")});
  for (const char *path : {"/v1/models", "/metrics", "/nothing"}) {
    Reply reply = get(path);
    expectError(reply, 401, "authentication_error");
    EXPECT_EQ(header(reply, "WWW-Authenticate"), "Bearer");
  }
  EXPECT_EQ(get("/health").status, 200);
  for (const char *key : {"first-key", "second-key", "third-key"})
    EXPECT_EQ(get("/v1/models", {{"Authorization", std::string("Bearer ") + key}}).status, 200);
  for (const char *wrong : {"Bearer first", "Bearer first-key2", "Bearer", "Bearer ", "first-key", "Basic first-key"})
    EXPECT_EQ(get("/v1/models", {{"Authorization", wrong}}).status, 401) << wrong;
  EXPECT_EQ(post("/v1/completions", R"({"prompt":"a"})").status, 401);
  EXPECT_EQ(post("/v1/completions", R"({"prompt":"a"})", {{"Authorization", "bearer first-key"}}).status, 200);
}

TEST_F(ProtocolTest, KeysMustBeWhatAHeaderCanHave) {
  serve::ApiKeys keys;
  EXPECT_FALSE(keys.needed());
  EXPECT_FALSE(keys.add("", "--api-key"));
  EXPECT_FALSE(keys.add("a b", "--api-key"));
  EXPECT_FALSE(keys.add("\xC3\xA9", "--api-key"));
  writeFile(file("keys"), "# none\n");
  EXPECT_FALSE(keys.addFile(file("keys")));
  EXPECT_TRUE(keys.add("a", "--api-key"));
  EXPECT_TRUE(keys.allows("Bearer a"));
  EXPECT_FALSE(keys.allows("Bearer aa")) << "a key repeated";
}

TEST_F(ProtocolTest, WrongOptionsAndFilesAreSaidInALine) {
  using chimera::test::expectError;
  expectError(runServe({"--port", "65536"}), 2, "--port");
  expectError(runServe({"--queue", "-1"}), 2, "--queue");
  expectError(runServe({"--memory-limit", "x"}), 2, "--memory-limit");
  expectError(runServe({"--api-key", ""}), 2, "--api-key");
  expectError(runServe({"--host", "203.0.113.1"}), 1, "cannot listen on 203.0.113.1");
  expectError(runServe({"--chat-template", file("missing")}), 1, "missing");
  expectError(runServe({"--api-key-file", file("missing")}), 1, "missing");
  expectError(runProcess({CHIMERA_SERVE, file("none.chm"), "--weights", folder.path(), "--port", "0"}), 1, "none.chm");
  serve();
  expectError(
      runProcess({CHIMERA_SERVE, file("m.chm"), "--weights", folder.path(), "--port", std::to_string(server->port())}),
      1, "cannot listen on 127.0.0.1:");
}

TEST_F(ProtocolTest, IdleClientsDoNotDisturbOthers) {
  serve({"--connections", "4"});
  std::vector<int> idle;
  for (int i = 0; i < 12; ++i) {
    idle.push_back(connection());
    if (i % 2)
      ASSERT_GT(::write(idle.back(), "POST /v1/comp", 13), 0);
  }
  EXPECT_EQ(complete({{"prompt", "abc"}}).choice()["text"], expectedText("abc", 16));
  for (int file : idle)
    ::close(file);
}

TEST_F(ProtocolTest, AConnectionServesManyRequests) {
  serve();
  httplib::Client asking = client();
  asking.set_keep_alive(true);
  for (int i = 0; i < 30; ++i) {
    auto result = asking.Post("/v1/completions", json{{"prompt", "abc"}, {"max_tokens", i}}.dump(), "application/json");
    ASSERT_TRUE(result);
    EXPECT_EQ(json::parse(result->body)["choices"][0]["text"], expectedText("abc", size_t(i)));
  }
  // Two requests in one packet.
  std::string two =
      "GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  std::string answers = raw(two);
  size_t first = answers.find("{\"status\":\"ok\"}");
  ASSERT_NE(first, std::string::npos) << answers;
  EXPECT_NE(answers.find("{\"status\":\"ok\"}", first + 1), std::string::npos) << answers;
}
