// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/HttpServer.h"

#include <cerrno>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace chimera::serve {

HttpServer::HttpServer(const ConnectionLimits &limits, size_t mostConnections) : limits(limits) {
  new_task_queue = [this, mostConnections] { return threads = new ConnectionThreads(mostConnections); };
  set_payload_max_length(limits.bodyBytes);
  set_tcp_nodelay(true);
  set_keep_alive_timeout(limits.idle.count()); // What clients are told.
  set_keep_alive_max_count(1000000);
  // Not SO_REUSEPORT, which httplib sets: two servers on a port would share its clients without a word.
  set_socket_options([](socket_t socket) {
    int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
}

io::Result<int> HttpServer::bind(const std::string &host, int port) {
  errno = 0;
  int bound = port ? (bind_to_port(host, port) ? port : -1) : bind_to_any_port(host);
  if (bound <= 0)
    return io::Error{"cannot listen on " + host + ":" + std::to_string(port) +
                     (errno ? std::string(": ") + std::strerror(errno) : "")};
  ::fcntl(svr_sock_, F_SETFD, FD_CLOEXEC);
  ::listen(svr_sock_, 256); // httplib lets 5 clients wait.
  return bound;
}

void HttpServer::start() {
  listener = std::thread([this] { listen_after_bind(); });
}

void HttpServer::end() {
  ending = true;
  if (!listener.joinable())
    return;
  for (int wait = 0; !is_running() && wait < 1000; ++wait)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  stop();
  listener.join();
}

void HttpServer::refuse(Connection &connection, const ApiError &error, const char *reason) {
  if (onRefused)
    onRefused(error.status);
  connection.refuse(error.status, reason, textOf(error.body()));
}

/// Answers the requests of a connection, one after the other.
void HttpServer::answer(Connection &connection) {
  while (!connection.closes()) {
    switch (connection.waitForHeader()) {
    case Connection::Wait::Gone:
      return;
    case Connection::Wait::TooLong:
      return refuse(connection,
                    {431, "the headers have more than " + std::to_string(limits.headerBytes) + " bytes", "", "", 0},
                    "Request Header Fields Too Large");
    case Connection::Wait::TooSlow:
      return refuse(connection, {408, "the headers took too long to come", "", "", 0}, "Request Timeout");
    case Connection::Wait::Malformed:
      return refuse(connection, {400, "the headers are not those of HTTP/1.1", "", "", 0}, "Bad Request");
    case Connection::Wait::Ready:
      break;
    }
    struct Counted {
      std::atomic<int64_t> &count;
      explicit Counted(std::atomic<int64_t> &count) : count(count) { ++count; }
      ~Counted() { --count; }
    } counted(answering);
    bool closes = false;
    if (!process_request(connection, ending, closes, nullptr) || closes || ending)
      return connection.closeAfter();
  }
}

bool HttpServer::process_and_close_socket(socket_t socket) {
  Connection connection(socket, limits, [this] {
    return ending               ? Connection::Pressure::Ending
           : threads->crowded() ? Connection::Pressure::OthersWait
                                : Connection::Pressure::None;
  });
  ::fcntl(socket, F_SETFD, FD_CLOEXEC); // Not for the process that renders templates.
  Connection::current() = &connection;
  try {
    answer(connection);
  } catch (const std::exception &) {
    // Out of memory while a request was read: the connection ends, the server does not.
  }
  Connection::current() = nullptr;
  connection.linger();
  ::shutdown(socket, SHUT_RDWR);
  ::close(socket);
  return true;
}

} // namespace chimera::serve
