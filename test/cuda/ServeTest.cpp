// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A server whose GPU fails: it says so to everybody and ends, so that whoever watches it starts it again.
#include "test/chimera-serve/RunningServer.h"
#include "test/cuda/CudaModel.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <future>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace chimera::test;
using nlohmann::json;

namespace {
class CudaServeTest : public CudaModelTest {
protected:
  CudaServeTest() { compile(); }

  /// Starts a server whose driver fails at this call; 0: at none.
  std::unique_ptr<RunningServer> serve(int failing, const std::vector<std::string> &options = {}) const {
    std::vector<std::string> command = {
        CHIMERA_SERVE, folder.file("cuda.chm"), "--weights", folder.file("model.safetensors"), "--port",
        "0",           "--max-context",         "1000000"};
    command.insert(command.end(), options.begin(), options.end());
    return std::make_unique<RunningServer>(
        withDriver(command, {"CHIMERA_FAKE_CUDA_FAIL=" + std::to_string(failing), "CHIMERA_FAKE_CUDA_CALLS=" + calls}),
        folder.path());
  }

  /// How many calls a server makes that is asked for nothing.
  int callsOfNothing() const {
    std::unique_ptr<RunningServer> server = serve(0);
    server->signal(SIGTERM);
    EXPECT_EQ(server->wait(), 0);
    return std::atoi(readFile(calls).c_str());
  }

  static httplib::Result ask(int port, bool stream, int tokens = 500000) {
    httplib::Client client("127.0.0.1", port);
    client.set_read_timeout(60);
    json request = {{"prompt", "abc"}, {"max_tokens", tokens}, {"stream", stream}};
    return client.Post("/v1/completions", request.dump(), "application/json");
  }

  const std::string calls = folder.file("calls");
  const std::string why = "the GPU (Fake GPU, sm_80) failed: ";
};
} // namespace

TEST_F(CudaServeTest, AnswersWhileTheGpuWorks) {
  std::unique_ptr<RunningServer> server = serve(0);
  httplib::Result answer = ask(server->port(), false, 20);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200) << answer->body;
  server->signal(SIGTERM);
  EXPECT_EQ(server->wait(), 0);
}

TEST_F(CudaServeTest, ALostGpuEndsTheServerWithStatusOneAndEveryRequestWithAnError) {
  const int nothing = callsOfNothing();
  ASSERT_GT(nothing, 20);
  // Different calls of a step, so late that all requests have come by then.
  for (int later : {60000, 60001, 60002, 60003, 60017}) {
    SCOPED_TRACE(later);
    std::unique_ptr<RunningServer> server = serve(nothing + later, {"--max-sequences", "2"});
    std::vector<std::future<httplib::Result>> asked;
    for (bool stream : {true, false, false, true}) // Two of them wait for a sequence.
      asked.push_back(std::async(std::launch::async, ask, server->port(), stream, 500000));
    for (std::future<httplib::Result> &each : asked) {
      httplib::Result answer = each.get();
      ASSERT_TRUE(answer);
      const std::string &body = answer->body;
      if (answer->status == 200) { // A stream that had begun.
        EXPECT_NE(body.find("data: {\"error\":{\"message\":\"" + why), std::string::npos) << body.substr(0, 1000);
        EXPECT_EQ(body.find("[DONE]"), std::string::npos);
        continue;
      }
      EXPECT_EQ(answer->status, 503) << body;
      json error = json::parse(body, nullptr, false)["error"];
      EXPECT_EQ(error["message"].get<std::string>().rfind(why, 0), 0u) << body;
      EXPECT_EQ(error["code"], "device_failed");
    }
    EXPECT_EQ(server->wait(), 1);
    const std::string errors = server->errors();
    EXPECT_EQ(countLines(errors), 2) << errors; // Ready, and this.
    EXPECT_NE(errors.find("\nchimera-serve: " + why), std::string::npos) << errors;
  }
}

TEST_F(CudaServeTest, ClientsThatDoNotReadDoNotHoldUpTheEnd) {
  std::unique_ptr<RunningServer> server = serve(callsOfNothing() + 3000);
  int deaf = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int least = 1;
  ::setsockopt(deaf, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(uint16_t(server->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(deaf, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
  const std::string body = json{{"prompt", std::string(3000, 'a')},
                                {"echo", true},
                                {"logprobs", 20},
                                {"stream", true},
                                {"n", 8},
                                {"max_tokens", 1000}}
                               .dump();
  const std::string request = completionRequest(body);
  ASSERT_EQ(::write(deaf, request.data(), request.size()), ssize_t(request.size()));
  (void)ask(server->port(), false);
  EXPECT_EQ(server->wait(20), 1);
  ::close(deaf);
}
