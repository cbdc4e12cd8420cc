// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A client's connection, with limits on what it may send and on how long it may take: httplib's own reads lines of any
// length and waits anew for each byte.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_CONNECTION_H
#define CHIMERA_TOOLS_CHIMERASERVE_CONNECTION_H

#include <httplib.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace chimera::serve {

struct ConnectionLimits {
  size_t headerBytes = 32768;                  ///< Of the request line and all headers.
  size_t bodyBytes = 0;                        ///< Of a body.
  std::chrono::seconds receive{60};            ///< For a whole request, from its first byte on.
  std::chrono::seconds idle{30};               ///< Between requests.
  std::chrono::seconds send{30};               ///< Without a byte that the client takes.
  std::chrono::milliseconds idleIfOthers{500}; ///< Between requests, where other connections wait.
};

/// A stream over a socket that somebody else closes.
class Connection : public httplib::Stream {
public:
  /// `leave`: whether connections that do nothing are to end now, or soon as others wait.
  enum class Pressure { None, OthersWait, Ending };
  Connection(int socket, const ConnectionLimits &limits, std::function<Pressure()> pressure)
      : file(socket), limits(limits), pressure(std::move(pressure)) {}

  enum class Wait { Ready, Gone, TooLong, TooSlow, Malformed };
  /// Waits until the header of a request is there, and takes out of it what this server does not do (ranges, encoded
  /// answers).
  Wait waitForHeader();

  /// After a body was read: whether it ended as its header says. httplib takes chunks for complete where one of them is
  /// longer than its size.
  bool bodyIsWhole() const;

  /// Writes an answer that is no request's.
  void refuse(int status, const std::string &reason, const std::string &body);
  /// Whether the client has closed its end.
  bool clientGone() const;
  /// Before the socket is closed: where the client may still be sending, lets it read what was sent to it.
  void linger();

  /// No more requests are taken after this one.
  void closeAfter() { closing = true; }
  bool closes() const { return closing; }
  /// The connection whose request this thread answers; null: none.
  static Connection *&current();

  bool is_readable() const override;
  bool is_writable() const override { return !clientGone(); }
  ssize_t read(char *bytes, size_t size) override;
  ssize_t write(const char *bytes, size_t size) override;
  void get_remote_ip_and_port(std::string &ip, int &port) const override;
  void get_local_ip_and_port(std::string &ip, int &port) const override;
  socket_t socket() const override { return 0; } // Only compared with FD_SETSIZE, which poll does not need.

private:
  using Clock = std::chrono::steady_clock;
  enum class Filled { Yes, No, End };

  enum class Framing { None, Length, Chunks }; ///< What says how long a body is.

  Filled fill(std::chrono::milliseconds most);
  bool takeHeader(size_t end);
  bool takeFraming(std::string_view line);

  int file;
  const ConnectionLimits &limits;
  std::function<Pressure()> pressure;
  std::string buffer; ///< Received and not read yet, from `at` on.
  size_t at = 0;
  size_t budget = 0; ///< Bytes that this request may still have.
  Framing framing = Framing::None;
  std::string lastRead; ///< The last bytes that were read, up to four.
  Clock::time_point deadline;
  bool closing = false;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_CONNECTION_H
