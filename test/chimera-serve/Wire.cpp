// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/chimera-serve/Wire.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstdlib>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

namespace chimera::test {

using End = WireAnswer::End;

bool Wire::open(int port) {
  close();
  file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(uint16_t(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int yes = 1;
  ::setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (::connect(file, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0)
    return true;
  close();
  return false;
}

void Wire::close() {
  if (file >= 0)
    ::close(file);
  file = -1;
  received.clear();
}

void Wire::send(const std::string &bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    ssize_t count = ::send(file, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0)
      return;
    sent += size_t(count);
  }
}

void Wire::finish() {
  ::shutdown(file, SHUT_WR);
}

/// Receives more; false, and why, where nothing comes.
bool Wire::fill(WireAnswer &answer) {
  pollfd poll = {file, POLLIN, 0};
  if (::poll(&poll, 1, 10000) <= 0) {
    answer.end = End::TooLate;
    return false;
  }
  char part[16384];
  ssize_t count = ::recv(file, part, sizeof part, 0);
  if (count > 0) {
    received.append(part, size_t(count));
    return true;
  }
  bool nothing = received.empty() && answer.status == 0;
  answer.end = nothing ? End::Closed : End::Malformed;
  answer.problem = nothing ? "" : "it ends in the middle";
  return false;
}

static bool malformed(WireAnswer &answer, const std::string &problem) {
  answer.end = End::Malformed;
  answer.problem = problem;
  return false;
}

/// A line without its end.
bool Wire::readLine(WireAnswer &answer, std::string &line) {
  size_t end;
  while ((end = received.find('\n')) == std::string::npos)
    if (!fill(answer))
      return false;
  if (end == 0 || received[end - 1] != '\r')
    return malformed(answer, "a line ends without CR");
  line = received.substr(0, end - 1);
  received.erase(0, end + 1);
  auto printable = [](char byte) { return uint8_t(byte) >= 32 && byte != 127; };
  return std::all_of(line.begin(), line.end(), printable) || malformed(answer, "control bytes in a line: " + line);
}

/// Appends to the body.
bool Wire::readBytes(WireAnswer &answer, size_t count) {
  while (received.size() < count)
    if (!fill(answer))
      return false;
  answer.body += received.substr(0, count);
  received.erase(0, count);
  return true;
}

bool Wire::readChunks(WireAnswer &answer) {
  while (true) {
    std::string line;
    if (!readLine(answer, line))
      return false;
    if (line.empty() || line.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos || line.size() > 8)
      return malformed(answer, "the size of a chunk is " + line);
    size_t size = std::strtoul(line.c_str(), nullptr, 16);
    if (!readBytes(answer, size) || !readLine(answer, line))
      return false;
    if (!line.empty())
      return malformed(answer, "a chunk is longer than it says");
    if (size == 0)
      return true;
  }
}

WireAnswer Wire::readOne() {
  WireAnswer answer;
  std::string line;
  if (!readLine(answer, line))
    return answer;
  bool isStatus = line.size() > 13 && line.compare(0, 9, "HTTP/1.1 ") == 0 && line[12] == ' ';
  answer.status = isStatus ? std::atoi(line.c_str() + 9) : 0;
  if (answer.status < 100 || answer.status > 599) {
    malformed(answer, "no status line: " + line);
    return answer;
  }
  long long length = -1;
  bool chunked = false;
  while (true) {
    if (!readLine(answer, line))
      return answer;
    if (line.empty())
      break;
    size_t colon = line.find(": ");
    std::string name = line.substr(0, colon), value = colon == std::string::npos ? "" : line.substr(colon + 2);
    if (colon == std::string::npos || colon == 0 || name.find(' ') != std::string::npos) {
      malformed(answer, "no header: " + line);
      return answer;
    }
    if (strcasecmp(name.c_str(), "Content-Length") == 0)
      length = std::atoll(value.c_str());
    chunked |= strcasecmp(name.c_str(), "Transfer-Encoding") == 0 && value == "chunked";
    answer.closes |= strcasecmp(name.c_str(), "Connection") == 0 && value == "close";
  }
  bool read = answer.status < 200 || (chunked ? readChunks(answer) : length >= 0 && readBytes(answer, size_t(length)));
  if (read)
    answer.end = End::Whole;
  else if (!chunked && length < 0)
    malformed(answer, "nothing says how long the body is");
  return answer;
}

WireAnswer Wire::read() {
  WireAnswer answer = readOne();
  while (answer.end == End::Whole && answer.status < 200)
    answer = readOne();
  return answer;
}

} // namespace chimera::test
