// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running chimera-serve on the byte model, and asking it as a client would.
#ifndef CHIMERA_TEST_CHIMERASERVE_SERVETOOL_H
#define CHIMERA_TEST_CHIMERASERVE_SERVETOOL_H

#include "test/chimera-run/ChatModel.h"
#include "test/chimera-serve/RunningServer.h"

#include <httplib.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace chimera::test {

/// What an answer says: its status, its headers and its JSON, which is null where it is none.
struct Reply {
  int status = 0; ///< 0: there was no answer.
  httplib::Headers headers;
  std::string body;
  nlohmann::json json;
  /// The message of an error.
  std::string message() const;
  nlohmann::json choice(size_t index = 0) const;
};

/// The data of each event of a stream, of which the last must be [DONE], which is left out.
std::vector<nlohmann::json> eventsOf(const std::string &body);
/// The parts of a choice's text put together.
std::string streamedText(const std::vector<nlohmann::json> &events, int64_t index = 0);

/// Tests with the byte model, a tokenizer and chat template where `writeChat` made them, and servers of it.
class ServeTest : public ChatModelTest {
protected:
  ServeTest();

  /// Starts chimera-serve on a free port with these options too.
  void serve(std::vector<std::string> options = {});
  /// Puts tokenizer and template back, which the constructor takes away: most tests want bytes as tokens.
  void writeChat();

  std::vector<std::string> serveCommand(std::vector<std::string> options) const;
  httplib::Client client() const;
  Reply get(const std::string &path, const httplib::Headers &headers = {}) const;
  Reply post(const std::string &path, const std::string &body, const httplib::Headers &headers = {}) const;
  Reply complete(const nlohmann::json &request) const { return post("/v1/completions", request.dump()); }
  Reply chatReply(const nlohmann::json &request) const { return post("/v1/chat/completions", request.dump()); }
  /// Writes bytes to a connection of its own and reads until the server closes it, or for so long.
  std::string raw(const std::string &bytes, double seconds = 5) const;
  /// A connection of its own; to be closed.
  int connection() const;
  /// A request for so many tokens that it runs until its connection, which is what is given, is closed.
  int occupy(const nlohmann::json &more = nlohmann::json::object()) const;
  /// A number of /metrics; -1: it is not there.
  int64_t metric(const std::string &name) const;
  /// Waits until something is so, no longer than `seconds`; whether it is.
  static bool eventually(const std::function<bool()> &holds, double seconds = 20);

  /// What the model makes of a prompt, as the server gives it. `letters`: as the weights were written with.
  static std::string expectedText(const std::string &prompt, size_t count, const SamplerOptions &options = {},
                                  uint64_t number = 0, int letters = 26);

  std::unique_ptr<RunningServer> server;
};

} // namespace chimera::test

#endif // CHIMERA_TEST_CHIMERASERVE_SERVETOOL_H
