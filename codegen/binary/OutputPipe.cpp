// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/OutputPipe.h"
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace chimera::binary {

llvm::Error OutputPipe::open() {
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    std::error_code error(errno, std::generic_category());
    return llvm::createStringError(error, "cannot make a pipe: " + error.message());
  }
  reader = std::thread([this] {
    char piece[1 << 16];
    for (ssize_t count; (count = ::read(ends[0], piece, sizeof piece)) != 0;) {
      if (count > 0)
        bytes.append(piece, static_cast<size_t>(count));
      else if (errno != EINTR)
        return;
    }
  });
  return llvm::Error::success();
}

OutputPipe::~OutputPipe() {
  take();
  if (ends[0] >= 0)
    ::close(ends[0]);
}

std::string OutputPipe::path() const {
  return "/proc/self/fd/" + std::to_string(ends[1]);
}

std::string OutputPipe::take() {
  if (ends[1] >= 0)
    ::close(ends[1]); // The reader then finds the end.
  ends[1] = -1;
  if (reader.joinable())
    reader.join();
  return std::move(bytes);
}

} // namespace chimera::binary
