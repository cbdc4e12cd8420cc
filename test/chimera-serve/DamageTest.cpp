// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Many thousands of damaged requests, from several clients at once: each gets an error, and nobody else notices.
#include "test/chimera-serve/DamagedRequests.h"
#include "test/chimera-serve/ServeTool.h"
#include "test/chimera-serve/Wire.h"
#include "test/support/LongMode.h"

#include <atomic>
#include <csignal>
#include <iostream>
#include <map>
#include <mutex>
#include <thread>

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {

/// Bytes by which the server's memory may grow. With AddressSanitizer what was freed is not used again for a while.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHIMERA_ASAN
#endif
#endif
#ifdef CHIMERA_ASAN
constexpr int64_t mostGrowth = int64_t(512) << 20;
#else
constexpr int64_t mostGrowth = int64_t(8) << 20;
#endif

class DamageTest : public ServeTest {
protected:
  static constexpr int clients = 4;

  DamageTest() { writeChat(); }

  /// Bytes of memory that the server has.
  int64_t memory() const {
    std::string text = readFile("/proc/" + std::to_string(server->id()) + "/status");
    size_t at = text.find("VmRSS:");
    return at == std::string::npos ? 0 : std::stoll(text.substr(at + 6)) * 1024;
  }

  /// Expects the text of a good request.
  void expectWell() const {
    Reply reply = complete({{"prompt", bytesOf("abc")}, {"max_tokens", 12}});
    EXPECT_EQ(reply.choice()["text"], printed(chosen(bytesOf("abc"), 12, {}))) << reply.body;
  }

  /// What is wrong with an answer; empty: nothing.
  static std::string faultOf(const DamagedRequest &request, const WireAnswer &answer) {
    if (answer.end == WireAnswer::End::TooLate)
      return "no answer in ten seconds";
    if (answer.end == WireAnswer::End::Malformed)
      return "a malformed answer: " + answer.problem;
    if (answer.end == WireAnswer::End::Closed)
      return request.whole ? "the connection is closed without an answer" : "";
    if (answer.status >= 500 || (answer.status >= 300 && answer.status < 400))
      return "a fault of the server";
    if (answer.status < 300)
      return request.wrong ? "it is answered as if it were right" : "";
    json body = json::parse(answer.body, nullptr, false);
    bool says = body.is_object() && body.contains("error") && body["error"].value("message", json()).is_string() &&
                !body["error"]["message"].get_ref<const std::string &>().empty();
    return says ? "" : "an error that says nothing";
  }

  /// Sends a request and reads what comes. The fault; empty: none.
  std::string ask(Wire &wire, const DamagedRequest &request, std::map<std::string, int> &counts) const {
    if ((!request.whole || !wire.isOpen()) && !wire.open(server->port()))
      return "no connection";
    wire.send(request.bytes);
    if (!request.whole)
      wire.finish();
    while (true) { // Behind damaged headers a body may be taken for more requests.
      WireAnswer answer = wire.read();
      ++counts[answer.status ? std::to_string(answer.status) : "closed"];
      if (std::string fault = faultOf(request, answer); !fault.empty())
        return fault + "\n" + std::to_string(answer.status) + " " + answer.body.substr(0, 1000);
      if (answer.closes || answer.end != WireAnswer::End::Whole) {
        wire.close();
        return "";
      }
      if (request.whole)
        return "";
    }
  }

  /// Sends so many from each client, the good ones between them.
  void attack(uint32_t seed, int requests) {
    std::vector<std::thread> threads;
    for (int c = 0; c < clients; ++c)
      threads.emplace_back([this, seed, requests, c] {
        DamagedRequests source(seed + uint32_t(c));
        Wire wire;
        std::map<std::string, int> counts;
        for (int i = 0; i < requests / clients && faults < 10; ++i) {
          DamagedRequest request = source.next();
          std::string fault = ask(wire, request, counts);
          if (!fault.empty()) {
            ++faults;
            wire.close();
            ADD_FAILURE() << request.kind << ", client " << c << ", request " << i << ": " << fault << "\n"
                          << request.bytes.substr(0, 2000);
          }
          if (i % 50 == 0)
            expectWell();
        }
        std::lock_guard<std::mutex> lock(mutex);
        for (const auto &[name, count] : counts)
          total[name] += count;
      });
    for (std::thread &thread : threads)
      thread.join();
  }

  std::mutex mutex;
  std::map<std::string, int> total; ///< Answers by status.
  std::atomic<int> faults{0};
};
} // namespace

TEST_F(DamageTest, DamagedRequestsGetErrorsAndHarmNobody) {
  const int requests = longMode() ? 100000 : 2000, warming = 400;
  serve({"--max-context", "40", "--max-body", "64K", "--timeout", "5"});
  attack(1000, warming);
  const int64_t before = memory();
  attack(1, requests);
  const int64_t grown = memory() - before;
  for (const auto &[status, count] : total)
    std::cout << status << ": " << count << "  ";
  std::cout << "memory grew by " << grown / 1024 << " KiB\n";
  EXPECT_LE(grown, mostGrowth);
  ASSERT_TRUE(server->alive()) << server->errors();
  EXPECT_EQ(countLines(server->errors()), 1) << server->errors();
  expectWell();
  EXPECT_GT(total["200"], requests / 100) << "some are right in spite of the damage";
  EXPECT_GT(total["400"], requests / 2);
  EXPECT_TRUE(eventually([&] { return metric("chimera_sequences_running") == 0; }));
  EXPECT_EQ(metric("chimera_requests_queued"), 0);
  server->signal(SIGTERM);
  EXPECT_EQ(server->wait(), 0);
}
