// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

namespace chimera::serve {

using std::chrono::milliseconds;

static constexpr milliseconds slice{100}; ///< How often a wait looks at what else is wanted.

Connection *&Connection::current() {
  thread_local Connection *connection = nullptr;
  return connection;
}

/// Receives what there is into the buffer; waits no longer than `most` for it.
Connection::Filled Connection::fill(milliseconds most) {
  pollfd poll = {file, POLLIN, 0};
  if (::poll(&poll, 1, int(std::max<int64_t>(most.count(), 0))) <= 0)
    return Filled::No;
  char bytes[16384];
  ssize_t count = ::recv(file, bytes, sizeof bytes, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR))
    return Filled::No;
  if (count <= 0)
    return Filled::End;
  buffer.erase(0, at);
  at = 0;
  buffer.append(bytes, size_t(count));
  return Filled::Yes;
}

static bool isNamed(std::string_view line, std::string_view name) {
  return line.size() > name.size() && strncasecmp(line.data(), name.data(), name.size()) == 0 &&
         line[name.size()] == ':';
}

/// What stands behind the colon of a header's line, without blanks around it.
static std::string_view valueOf(std::string_view line) {
  constexpr std::string_view blank = " \t\r\n";
  line.remove_prefix(line.find(':') + 1);
  line.remove_prefix(std::min(line.size(), line.find_first_not_of(blank)));
  return line.substr(0, line.find_last_not_of(blank) + 1);
}

/// Whether nobody can take a line of a header for something else than httplib does.
static bool isHeaderLine(std::string_view line) {
  if (line == "\r\n")
    return true;
  size_t colon = line.find(':');
  return colon != std::string_view::npos && colon > 0 && line.substr(0, colon).find_first_of(" \t") == line.npos;
}

/// Notes what a line of a header says of the body's length; false: it, and the lines before it, do not say it clearly.
/// A proxy that understood them otherwise would take a part of a body for a request (RFC 9112, 11.2).
bool Connection::takeFraming(std::string_view line) {
  const bool length = isNamed(line, "content-length"), encoding = isNamed(line, "transfer-encoding");
  if (!length && !encoding)
    return true;
  if (framing != Framing::None)
    return false;
  framing = length ? Framing::Length : Framing::Chunks;
  std::string_view value = valueOf(line);
  if (encoding)
    return value.size() == 7 && strncasecmp(value.data(), "chunked", 7) == 0;
  return !value.empty() && value.size() <= 18 && value.find_first_not_of("0123456789") == value.npos;
}

/// Checks a header that ends before `end`, and drops the lines of it that are not for httplib.
bool Connection::takeHeader(size_t end) {
  std::string header;
  framing = Framing::None;
  for (size_t begin = at; begin < end;) {
    size_t next = buffer.find('\n', begin) + 1;
    std::string_view line(&buffer[begin], next - begin);
    bool whole = line.size() >= 2 && line.find('\r') == line.size() - 2 && line.find('\0') == line.npos;
    if (!whole || (begin > at && (!isHeaderLine(line) || !takeFraming(line))))
      return false;
    if (!isNamed(line, "range") && !isNamed(line, "accept-encoding"))
      header += line;
    begin = next;
  }
  buffer.replace(at, end - at, header);
  budget = header.size() + limits.bodyBytes + 65536; // Chunks have lines of their own.
  return true;
}

Connection::Wait Connection::waitForHeader() {
  auto begin = Clock::now();
  bool begun = false;
  while (true) {
    // Empty lines before a request are allowed (RFC 9112, 2.2).
    while (at + 1 < buffer.size() && buffer[at] == '\r' && buffer[at + 1] == '\n')
      at += 2;
    if (!begun && at < buffer.size()) {
      begun = true;
      deadline = Clock::now() + limits.receive;
    }
    size_t end = buffer.find("\r\n\r\n", at);
    size_t length = end == std::string::npos ? buffer.size() - at : end + 4 - at;
    if (length > limits.headerBytes)
      return Wait::TooLong;
    if (end != std::string::npos)
      return takeHeader(end + 4) ? Wait::Ready : Wait::Malformed;
    if (fill(slice) == Filled::End)
      return Wait::Gone;
    auto now = Clock::now();
    Pressure pressed = pressure();
    if (begun ? now > deadline : now - begin > limits.idle)
      return begun ? Wait::TooSlow : Wait::Gone;
    if (pressed == Pressure::Ending || (pressed == Pressure::OthersWait && now - begin > limits.idleIfOthers))
      return Wait::Gone;
  }
}

void Connection::refuse(int status, const std::string &reason, const std::string &body) {
  (void)write_format("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n",
                     status, reason.c_str(), body.size());
  closing = true;
  (void)write(body.data(), body.size());
}

bool Connection::bodyIsWhole() const {
  return framing != Framing::Chunks || lastRead == "\r\n\r\n";
}

bool Connection::clientGone() const {
  pollfd poll = {file, POLLRDHUP, 0};
  return ::poll(&poll, 1, 0) > 0 && (poll.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

void Connection::linger() {
  if (!closing)
    return;
  ::shutdown(file, SHUT_WR);
  char bytes[16384];
  auto end = Clock::now() + std::chrono::seconds(1);
  for (size_t left = size_t(64) << 20; left > 0 && Clock::now() < end;) {
    pollfd poll = {file, POLLIN, 0};
    if (::poll(&poll, 1, int(slice.count())) <= 0)
      continue;
    ssize_t count = ::recv(file, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count <= 0)
      return;
    left -= std::min(left, size_t(count));
  }
}

bool Connection::is_readable() const {
  pollfd poll = {file, POLLIN, 0};
  return at < buffer.size() || ::poll(&poll, 1, 0) > 0;
}

ssize_t Connection::read(char *bytes, size_t size) {
  while (at == buffer.size()) {
    if (Clock::now() > deadline)
      return -1;
    Filled filled = fill(slice);
    if (filled == Filled::End)
      return 0;
  }
  size_t count = std::min({size, buffer.size() - at, budget});
  if (count == 0)
    return -1;
  std::memcpy(bytes, &buffer[at], count);
  at += count;
  lastRead.append(bytes + count - std::min<size_t>(count, 4), std::min<size_t>(count, 4));
  lastRead.erase(0, lastRead.size() - std::min<size_t>(lastRead.size(), 4));
  budget -= count;
  return ssize_t(count);
}

ssize_t Connection::write(const char *bytes, size_t size) {
  size_t sent = 0;
  while (sent < size) {
    ssize_t count = ::send(file, bytes + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) {
      sent += size_t(count);
      continue;
    }
    if (count < 0 && errno != EAGAIN && errno != EINTR)
      return -1;
    pollfd poll = {file, POLLOUT, 0};
    if (::poll(&poll, 1, int(milliseconds(limits.send).count())) <= 0)
      return -1;
  }
  return ssize_t(sent);
}

template <typename Name> static void addressOf(int file, Name name, std::string &ip, int &port) {
  sockaddr_storage address = {};
  socklen_t length = sizeof address;
  char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "0";
  auto *place = reinterpret_cast<sockaddr *>(&address);
  if (name(file, place, &length) == 0)
    (void)::getnameinfo(place, length, host, sizeof host, service, sizeof service, NI_NUMERICHOST | NI_NUMERICSERV);
  ip = host;
  port = std::atoi(service);
}

void Connection::get_remote_ip_and_port(std::string &ip, int &port) const {
  addressOf(file, ::getpeername, ip, port);
}

void Connection::get_local_ip_and_port(std::string &ip, int &port) const {
  addressOf(file, ::getsockname, ip, port);
}

} // namespace chimera::serve
