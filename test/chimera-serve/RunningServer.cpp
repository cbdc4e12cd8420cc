// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/chimera-serve/RunningServer.h"

#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <sys/wait.h>
#include <thread>

namespace chimera::test {

using Clock = std::chrono::steady_clock;

static Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

std::string completionRequest(const std::string &body) {
  return "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

RunningServer::RunningServer(const std::vector<std::string> &command, const std::string &folder)
    : err(folder + "/serve-errors") {
  process = startProcess(command, folder + "/serve-output", err);
  const std::string ready = "ready on http://";
  for (auto end = after(60); Clock::now() < end && alive();) {
    std::string text = errors();
    size_t at = text.find(ready), line = text.find('\n', at);
    if (at != std::string::npos && line != std::string::npos) {
      listensOn = std::stoi(text.substr(text.rfind(':', line) + 1));
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ADD_FAILURE() << "the server is not ready: " << errors();
}

RunningServer::~RunningServer() {
  if (ended)
    return;
  ::kill(process, SIGKILL);
  ::waitpid(process, nullptr, 0);
}

void RunningServer::signal(int number) const {
  ::kill(process, number);
}

int RunningServer::wait(double seconds) {
  for (auto end = after(seconds); alive();) {
    if (Clock::now() > end)
      return -1000;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool RunningServer::alive() {
  if (!ended)
    ended = ::waitpid(process, &status, WNOHANG) == process;
  return !ended;
}

std::string RunningServer::errors() const {
  return readFile(err);
}

} // namespace chimera::test
