// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What waits, what is let in, and what is given up.
#include "test/chimera-serve/ServeTool.h"

#include <atomic>
#include <future>
#include <thread>
#include <unistd.h>

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {
class QueueTest : public ServeTest {
protected:
  bool eventuallyMetric(const std::string &name, int64_t value) {
    return eventually([&] { return metric(name) == value; });
  }
};
} // namespace

TEST_F(QueueTest, WhenTheQueueIsFullRequestsAreToldToComeLater) {
  serve({"--max-sequences", "1", "--queue", "2"});
  std::vector<int> busy = {occupy()};
  ASSERT_TRUE(eventuallyMetric("chimera_sequences_running", 1));
  busy.push_back(occupy());
  busy.push_back(occupy());
  ASSERT_TRUE(eventuallyMetric("chimera_requests_queued", 2));
  Reply reply = complete({{"prompt", "abc"}});
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(reply.json["error"]["type"], "rate_limit_error");
  EXPECT_NE(reply.headers.find("Retry-After"), reply.headers.end());
  ::close(busy[1]); // A client that waits goes: there is room in the queue again.
  ASSERT_TRUE(eventuallyMetric("chimera_requests_queued", 1));
  auto waits = std::async([&] { return complete({{"prompt", "abc"}}); });
  ASSERT_TRUE(eventuallyMetric("chimera_requests_queued", 2));
  ::close(busy[0]);
  ::close(busy[2]);
  EXPECT_EQ(waits.get().choice()["text"], expectedText("abc", 16));
  EXPECT_EQ(metric("chimera_requests_cancelled_total"), 3);
}

TEST_F(QueueTest, WithoutAQueueOnlyWhatStartsAtOnceIsTaken) {
  serve({"--max-sequences", "2", "--queue", "0"});
  int busy = occupy();
  ASSERT_TRUE(eventuallyMetric("chimera_sequences_running", 1));
  EXPECT_EQ(complete({{"prompt", "abc"}}).status, 200);
  EXPECT_EQ(complete({{"prompt", "abc"}, {"n", 2}}).status, 429);
  ::close(busy);
}

TEST_F(QueueTest, ARequestWaitsUntilAllThatItMayNeedFits) {
  // A slot takes 112 bytes, and every 64 tokens 512: room for 10 pages and two sequences.
  serve({"--max-sequences", "8", "--memory-limit", std::to_string(2 * 112 + 10 * 512)});
  Reply tooLarge = complete({{"prompt", "abc"}, {"max_tokens", 700}});
  EXPECT_EQ(tooLarge.status, 400);
  EXPECT_EQ(tooLarge.json["error"]["code"], "context_length_exceeded") << tooLarge.body;
  EXPECT_EQ(complete({{"prompt", "abc"}, {"max_tokens", 600}, {"n", 2}}).json["error"]["code"], "memory_exceeded");
  // Each needs 5 pages and a bit more than the half of the rest: two run at once, however many are asked for.
  std::vector<std::future<Reply>> replies;
  std::atomic<int64_t> most{0};
  std::atomic<bool> done{false};
  std::thread watcher([&] {
    while (!done) {
      most = std::max<int64_t>(most, metric("chimera_sequences_running"));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  for (int i = 0; i < 8; ++i)
    replies.push_back(
        std::async(std::launch::async, [&] { return complete({{"prompt", "abc"}, {"max_tokens", 310}}); }));
  for (std::future<Reply> &reply : replies)
    EXPECT_EQ(reply.get().choice()["text"], expectedText("abc", 310));
  done = true;
  watcher.join();
  EXPECT_LE(most, 2);
}

TEST_F(QueueTest, ARequestThatTakesTooLongIsGivenUp) {
  serve({"--max-sequences", "1", "--timeout", "0.3"});
  Reply reply = complete({{"prompt", "abc"}, {"max_tokens", 400000}});
  EXPECT_EQ(reply.status, 504) << reply.body;
  Reply streamed = complete({{"prompt", "abc"}, {"max_tokens", 400000}, {"stream", true}});
  EXPECT_EQ(streamed.status, 200);
  EXPECT_NE(streamed.body.find("\"code\":\"timeout\""), std::string::npos);
  EXPECT_EQ(streamed.body.find("[DONE]"), std::string::npos);
  EXPECT_TRUE(eventuallyMetric("chimera_sequences_running", 0));
  EXPECT_EQ(complete({{"prompt", "abc"}}).status, 200);
}

TEST_F(QueueTest, ClientsThatVanishGiveTheirMemoryBack) {
  serve({"--max-sequences", "2"});
  for (bool stream : {false, true})
    for (int i = 0; i < 3; ++i) {
      int busy = occupy({{"stream", stream}, {"n", 2}});
      ASSERT_TRUE(eventuallyMetric("chimera_sequences_running", 2));
      ::close(busy);
      ASSERT_TRUE(eventuallyMetric("chimera_sequences_running", 0));
    }
  EXPECT_EQ(metric("chimera_requests_cancelled_total"), 6);
  EXPECT_EQ(complete({{"prompt", "abc"}, {"n", 2}}).status, 200);
}

TEST_F(QueueTest, ALongPromptDoesNotHoldUpOthers) {
  serve({"--step-tokens", "4", "--max-sequences", "3"});
  auto longer = std::async(std::launch::async,
                           [&] { return complete({{"prompt", std::string(20000, 'a')}, {"max_tokens", 1}}); });
  ASSERT_TRUE(eventually([&] { return metric("chimera_prompt_tokens_total") > 0; })); // Stays so when it has ended.
  EXPECT_EQ(complete({{"prompt", "abc"}}).choice()["text"], expectedText("abc", 16));
  EXPECT_EQ(longer.get().status, 200);
}
