// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// httplib's server over connections with limits.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_HTTPSERVER_H
#define CHIMERA_TOOLS_CHIMERASERVE_HTTPSERVER_H

#include "runtime/io/Result.h"
#include "tools/chimera-serve/ApiError.h"
#include "tools/chimera-serve/Connection.h"
#include "tools/chimera-serve/ConnectionThreads.h"

#include <httplib.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>

namespace chimera::serve {

/// Listens, and answers requests by the handlers that the owner gives it, until it is stopped.
class HttpServer : public httplib::Server {
public:
  HttpServer(const ConnectionLimits &limits, size_t mostConnections);
  ~HttpServer() override { end(); }

  /// Binds to a host and a port; 0: a free one. The port, or why not.
  io::Result<int> bind(const std::string &host, int port);
  /// Answers requests on threads of its own from now on.
  void start();
  /// Ends connections as soon as their requests are answered, and all threads.
  void end();
  /// Requests that are being answered.
  int64_t active() const { return answering; }

  /// Told of requests that never came to a handler.
  std::function<void(int status)> onRefused;

private:
  bool process_and_close_socket(socket_t socket) override;
  void answer(Connection &connection);
  void refuse(Connection &connection, const ApiError &error, const char *reason);

  ConnectionLimits limits;
  ConnectionThreads *threads = nullptr; ///< httplib's while it listens.
  std::atomic<int64_t> answering{0};
  std::atomic<bool> ending{false};
  std::thread listener;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_HTTPSERVER_H
