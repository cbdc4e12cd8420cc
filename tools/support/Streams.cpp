// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/support/Streams.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace chimera::tools {

bool isStream(const std::string &path) {
  struct stat info;
  return path == standardInput ||
         (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode));
}

std::string nameOfInput(const std::string &path) {
  return path == standardInput ? "<stdin>" : io::quote(path);
}

namespace {
/// Closes a descriptor that was opened for it at the end of a scope.
struct Descriptor {
  int number = -1;
  bool owned = false;
  ~Descriptor() {
    if (owned && number >= 0)
      ::close(number);
  }
};
} // namespace

io::Result<std::string> readAll(const std::string &path) {
  auto fail = [&](const std::string &what) { return io::Error{nameOfInput(path) + ": " + what}; };
  Descriptor input;
  input.owned = path != standardInput;
  input.number = input.owned ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
  if (input.number < 0)
    return fail(std::string("cannot open: ") + std::strerror(errno));
  // Room for one byte more than a file has, so that its end is seen without growing.
  size_t room = size_t(1) << 16;
  struct stat info;
  if (::fstat(input.number, &info) == 0) {
    if (S_ISDIR(info.st_mode))
      return fail("is a folder, not a file");
    if (S_ISREG(info.st_mode))
      room = size_t(info.st_size) + 1;
  }
  std::string bytes(room, '\0');
  size_t done = 0;
  while (true) {
    if (done == bytes.size())
      bytes.resize(done + done / 2 + 1);
    ssize_t got = ::read(input.number, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return fail(std::string("cannot read: ") + std::strerror(errno));
    if (got == 0)
      break;
    done += size_t(got);
  }
  bytes.resize(done);
  return bytes;
}

io::Status flush(std::FILE *stream) {
  errno = 0;
  if (std::fflush(stream) == 0 && !std::ferror(stream))
    return {};
  return io::Error{std::string("<stdout>: cannot write: ") + (errno ? std::strerror(errno) : "an error of the output")};
}

void keepStandardStreams() {
  for (int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(number, F_GETFD) < 0 && errno == EBADF)
      // The lowest free number is this one, as those below it are open. The wrong direction makes uses fail.
      (void)!::open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

} // namespace chimera::tools
