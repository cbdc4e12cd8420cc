// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/LineReader.h"

#include "tools/support/Streams.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace chimera::run {

using io::Error;
using io::Result;

Result<std::unique_ptr<LineReader>> LineReader::open(const std::string &path, size_t most) {
  const std::string name = tools::nameOfInput(path);
  int descriptor = path == tools::standardInput ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return Error{name + ": cannot open: " + std::strerror(errno)};
  std::unique_ptr<LineReader> reader(new LineReader(descriptor, name, most));
  struct stat info;
  if (::fstat(descriptor, &info) == 0 && S_ISDIR(info.st_mode))
    return Error{name + ": is a folder, not a file"};
  return reader;
}

LineReader::~LineReader() {
  if (descriptor != STDIN_FILENO)
    ::close(descriptor);
}

bool LineReader::reads(const std::string &path) const {
  struct stat here, there;
  return ::fstat(descriptor, &here) == 0 && ::stat(path.c_str(), &there) == 0 && S_ISREG(here.st_mode) &&
         here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

/// Takes a line out of what is held, if it is complete; what is held of one that is too long is forgotten.
bool LineReader::take(Line &line) {
  size_t newline = held.find('\n', scanned);
  bool whole = newline != std::string::npos || (atEnd && (begin < held.size() || skipping));
  size_t end = newline != std::string::npos ? newline : held.size();
  if (skipping || end - begin > most) {
    skipping = !whole;
    line = {"", true};
  } else if (whole) {
    line = {held.substr(begin, end - begin), false};
  }
  scanned = end;
  if (whole)
    begin = scanned = newline != std::string::npos ? end + 1 : end;
  else if (skipping)
    begin = end;
  return whole;
}

/// Reads on; false if nothing is there yet.
Result<bool> LineReader::fill(bool wait) {
  held.erase(0, begin);
  scanned -= begin;
  begin = 0;
  constexpr size_t piece = size_t(1) << 16;
  while (true) {
    pollfd input = {descriptor, POLLIN, 0};
    if (int there = ::poll(&input, 1, wait ? -1 : 0); there == 0 || (there < 0 && errno == EINTR && !wait))
      return false;
    size_t before = held.size();
    held.resize(before + piece);
    ssize_t got = ::read(descriptor, held.data() + before, piece);
    held.resize(before + size_t(std::max<ssize_t>(got, 0)));
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (got < 0)
      return Error{shown + ": cannot read: " + std::strerror(errno)};
    atEnd = got == 0;
    return true;
  }
}

Result<LineReader::State> LineReader::next(Line &line, bool wait) {
  while (!take(line)) {
    if (atEnd)
      return State::End;
    Result<bool> more = fill(wait);
    if (!more)
      return more.error();
    if (!*more)
      return State::Later;
  }
  return State::Line;
}

} // namespace chimera::run
