// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/LineWriter.h"

#include "tools/chimera-run/Interrupt.h"
#include "tools/support/Streams.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace chimera::run {

using io::Error;
using io::Result;
using io::Status;

Result<std::unique_ptr<LineWriter>> LineWriter::open(const std::string &path) {
  if (path.empty() || path == tools::standardInput)
    return std::unique_ptr<LineWriter>(new LineWriter(STDOUT_FILENO, "<stdout>"));
  int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return Error{io::quote(path) + ": cannot write: " + std::strerror(errno)};
  return std::unique_ptr<LineWriter>(new LineWriter(descriptor, io::quote(path)));
}

LineWriter::~LineWriter() {
  if (descriptor != STDOUT_FILENO)
    ::close(descriptor);
}

Status LineWriter::write(const std::string &line) {
  InterruptsWait wait;
  for (size_t done = 0; done < line.size();) {
    ssize_t written = ::write(descriptor, line.data() + done, line.size() - done);
    if (written >= 0)
      done += size_t(written);
    else if (errno != EINTR)
      return Error{name + ": cannot write: " + std::strerror(errno)};
  }
  return {};
}

} // namespace chimera::run
