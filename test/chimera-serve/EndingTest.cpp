// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How the server ends.
#include "test/chimera-serve/ServeTool.h"

#include <csignal>
#include <future>
#include <thread>
#include <unistd.h>

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {
class EndingTest : public ServeTest {};
} // namespace

TEST_F(EndingTest, ItSaysWhereItListensAndEndsWithStatusZero) {
  for (int signal : {SIGTERM, SIGINT}) {
    serve();
    EXPECT_EQ(server->errors(), "chimera-serve: ready on http://127.0.0.1:" + std::to_string(server->port()) + "\n");
    server->signal(signal);
    EXPECT_EQ(server->wait(), 0);
    EXPECT_EQ(countLines(server->errors()), 1) << server->errors();
  }
}

TEST_F(EndingTest, WhatRunsIsFinishedAndWhatIsNewRefused) {
  serve({"--max-sequences", "1"});
  int busy = occupy(); // Until all has been looked at.
  ASSERT_TRUE(eventually([&] { return metric("chimera_sequences_running") == 1; }));
  constexpr int tokens = 20000;
  std::vector<std::future<Reply>> accepted;
  for (int i = 0; i < 2; ++i)
    accepted.push_back(
        std::async(std::launch::async, [&] { return complete({{"prompt", "abc"}, {"max_tokens", tokens}}); }));
  ASSERT_TRUE(eventually([&] { return metric("chimera_requests_queued") == 2; }));
  int idle = connection(); // Does not hold the end up.
  server->signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return get("/health").status == 503; }));
  Reply refused = complete({{"prompt", "abc"}});
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.json["error"]["code"], "shutting_down");
  ::close(busy);
  for (std::future<Reply> &reply : accepted) {
    Reply answer = reply.get();
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.json["usage"]["completion_tokens"], tokens);
  }
  EXPECT_EQ(server->wait(), 0);
  ::close(idle);
}

TEST_F(EndingTest, AStreamIsFinishedToo) {
  serve();
  auto streamed = std::async(std::launch::async,
                             [&] { return complete({{"prompt", "abc"}, {"max_tokens", 20000}, {"stream", true}}); });
  ASSERT_TRUE(eventually([&] { return metric("chimera_prompt_tokens_total") > 0; })); // Stays so when it has ended.
  server->signal(SIGINT);
  EXPECT_EQ(streamedText(eventsOf(streamed.get().body)).size() > 0, true);
  EXPECT_EQ(server->wait(), 0);
}

TEST_F(EndingTest, ASecondSignalEndsAtOnce) {
  for (int second : {SIGTERM, SIGINT}) {
    serve();
    int busy = occupy();
    ASSERT_TRUE(eventually([&] { return metric("chimera_sequences_running") == 1; }));
    server->signal(SIGTERM);
    ASSERT_TRUE(eventually([&] { return get("/health").status == 503; }));
    EXPECT_TRUE(server->alive());
    server->signal(second);
    EXPECT_EQ(server->wait(5), -second);
    ::close(busy);
  }
}
