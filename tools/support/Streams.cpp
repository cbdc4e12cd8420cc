// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/support/Streams.h"

#include "runtime/io/File.h"

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
  return path == standardInput ? io::standardInputName : io::quote(path);
}

io::Result<std::string> readAll(const std::string &path) {
  return path == standardInput ? io::readStandardInput() : io::readWhole(path);
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
