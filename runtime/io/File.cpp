// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/File.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace chimera::io {

static int openForReading(const std::string &path) {
  // Without O_NONBLOCK the open of a FIFO would wait for a writer.
  return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

Result<File> File::open(const std::string &path) {
  File file;
  file.name = path;
  file.descriptor = openForReading(path);
  if (file.descriptor < 0)
    return file.failure(std::string("cannot open: ") + std::strerror(errno));
  Result<Identity> identity = file.identityOf(file.descriptor);
  if (!identity)
    return identity.error();
  file.identity = *identity;
  return file;
}

Result<File::Identity> File::identityOf(int handle) const {
  struct stat info;
  if (::fstat(handle, &info) != 0)
    return failure(std::string("cannot read: ") + std::strerror(errno));
  if (S_ISDIR(info.st_mode))
    return failure("is a folder, not a file");
  if (!S_ISREG(info.st_mode))
    return failure("not a regular file");
  return Identity{uint64_t(info.st_dev), uint64_t(info.st_ino), uint64_t(info.st_size), int64_t(info.st_mtim.tv_sec),
                  int64_t(info.st_mtim.tv_nsec)};
}

/// The file again, for one read.
Result<int> File::reopen() const {
  int handle = openForReading(name);
  if (handle < 0)
    return failure(std::string("cannot open again: ") + std::strerror(errno));
  Result<Identity> now = identityOf(handle);
  if (now && now->device == identity.device && now->node == identity.node)
    return handle;
  ::close(handle);
  if (!now)
    return now.error();
  return failure("was replaced while it was read");
}

Status File::readAt(uint64_t offset, void *to, size_t size) const {
  int handle = descriptor;
  if (handle < 0) {
    Result<int> again = reopen();
    if (!again)
      return again.error();
    handle = *again;
  }
  Status status;
  for (size_t done = 0; done < size && status;) {
    ssize_t got = ::pread(handle, static_cast<char *>(to) + done, size - done, off_t(offset + done));
    if (got > 0)
      done += size_t(got);
    else if (got == 0)
      status = failure("was cut while it was read");
    else if (errno != EINTR)
      status = failure(std::string("cannot read: ") + std::strerror(errno));
  }
  if (descriptor < 0)
    ::close(handle);
  return status;
}

Result<std::vector<uint8_t>> File::start(size_t most) const {
  std::vector<uint8_t> bytes(size_t(std::min<uint64_t>(most, size())));
  if (Status status = readAt(0, bytes.data(), bytes.size()); !status)
    return status.error();
  return bytes;
}

void File::release() {
  if (descriptor >= 0)
    ::close(descriptor);
  descriptor = -1;
}

Status File::unchanged() const {
  Result<int> handle = descriptor < 0 ? reopen() : Result<int>(descriptor);
  if (!handle)
    return handle.error();
  Result<Identity> now = identityOf(*handle);
  if (descriptor < 0)
    ::close(*handle);
  if (!now)
    return now.error();
  if (now->size < identity.size)
    return failure("was cut while it was read");
  if (now->size != identity.size || now->seconds != identity.seconds || now->nanoseconds != identity.nanoseconds)
    return failure("was changed while it was read");
  return {};
}

File::File(File &&other) noexcept
    : name(std::move(other.name)), descriptor(std::exchange(other.descriptor, -1)), identity(other.identity) {}

File &File::operator=(File &&other) noexcept {
  std::swap(name, other.name);
  std::swap(descriptor, other.descriptor);
  std::swap(identity, other.identity);
  return *this;
}

File::~File() {
  release();
}

/// All that `handle` gives up to its end, at most `most` bytes. `name`: what messages call it.
static Result<std::string> readToEnd(int handle, const std::string &name, uint64_t most) {
  struct stat info;
  if (::fstat(handle, &info) != 0)
    return Error{name + ": cannot read: " + std::strerror(errno)};
  if (S_ISDIR(info.st_mode))
    return Error{name + ": is a folder, not a file"};
  std::string text;
  if (S_ISREG(info.st_mode))
    text.reserve(size_t(std::min<uint64_t>(uint64_t(info.st_size), most)));
  std::vector<char> piece(size_t(1) << 16);
  while (text.size() <= most) {
    ssize_t got = ::read(handle, piece.data(), piece.size());
    if (got > 0)
      text.append(piece.data(), size_t(got));
    else if (got < 0 && errno != EINTR)
      return Error{name + ": cannot read: " + std::strerror(errno)};
    else if (got == 0 && S_ISREG(info.st_mode) && text.size() < uint64_t(info.st_size) && name != standardInputName)
      return Error{name + ": was cut while it was read"};
    else if (got == 0)
      return text;
  }
  return Error{name + ": is longer than " + std::to_string(most) + " bytes, the most that can be read"};
}

Result<std::string> readWhole(const std::string &path, uint64_t most) {
  int handle = openForReading(path);
  if (handle < 0)
    return Error{quote(path) + ": cannot open: " + std::strerror(errno)};
  ::fcntl(handle, F_SETFL, ::fcntl(handle, F_GETFL) & ~O_NONBLOCK); // A pipe's writer is waited for.
  Result<std::string> text = readToEnd(handle, quote(path), most);
  ::close(handle);
  return text;
}

Result<std::string> readStandardInput(uint64_t most) {
  return readToEnd(STDIN_FILENO, standardInputName, most);
}

} // namespace chimera::io
