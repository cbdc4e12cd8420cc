// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/AtomicFile.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace chimera::io {

Error AtomicFile::failure(const char *what, int code) const {
  return Error{quote(name) + ": " + what + ": " + std::strerror(code)};
}

Result<AtomicFile> AtomicFile::create(const std::string &path) {
  AtomicFile file;
  file.name = file.target = path;
  mode_t mode = 0666;
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) {
    if (!S_ISREG(info.st_mode))
      return Error{quote(path) + ": cannot write: not a regular file"};
    mode = info.st_mode & 0777;
    if (char *resolved = ::realpath(path.c_str(), nullptr)) {
      file.target = resolved;
      std::free(resolved);
    }
  }
  // A file without a name is gone with the process, however that ends. Not every file system has them.
  size_t slash = file.target.rfind('/');
  std::string folder = slash == std::string::npos ? "." : file.target.substr(0, slash + 1);
  if (::access("/proc/self/fd", F_OK) == 0)
    file.descriptor = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
  if (file.descriptor >= 0)
    return file;
  int failed = file.takeName([&](const char *temporary) {
    file.descriptor = ::open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    return file.descriptor >= 0;
  });
  if (failed)
    return file.failure("cannot write", failed);
  return file;
}

/// Finds a name beside the target under which `make` makes a file, false with errno set where it does not. Returns 0,
/// or the error.
template <typename Make> int AtomicFile::takeName(const Make &make) {
  for (int attempt = 0;; ++attempt) {
    temporary = target + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
    if (make(temporary.c_str()))
      return 0;
    int why = errno;
    if (why == EEXIST && attempt < 1000)
      continue;
    temporary.clear();
    return why;
  }
}

AtomicFile::AtomicFile(AtomicFile &&other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), name(std::move(other.name)), target(std::move(other.target)),
      temporary(std::exchange(other.temporary, {})) {}

AtomicFile &AtomicFile::operator=(AtomicFile &&other) noexcept {
  std::swap(descriptor, other.descriptor);
  std::swap(name, other.name);
  std::swap(target, other.target);
  std::swap(temporary, other.temporary);
  return *this;
}

AtomicFile::~AtomicFile() {
  if (descriptor >= 0)
    ::close(descriptor);
  if (!temporary.empty())
    ::unlink(temporary.c_str());
}

Status AtomicFile::write(uint64_t offset, const void *data, size_t size) {
  const char *from = static_cast<const char *>(data);
  while (size) {
    ssize_t written = ::pwrite(descriptor, from, size, off_t(offset));
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return failure("cannot write", errno);
    from += written;
    offset += uint64_t(written);
    size -= size_t(written);
  }
  return {};
}

Status AtomicFile::resize(uint64_t size) {
  if (::ftruncate(descriptor, off_t(size)) != 0)
    return failure("cannot write", errno);
  return {};
}

Status AtomicFile::commit() {
  int failed = ::fsync(descriptor) != 0 ? errno : 0;
  if (!failed && temporary.empty()) {
    std::string unnamed = "/proc/self/fd/" + std::to_string(descriptor);
    failed = takeName(
        [&](const char *name) { return ::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0; });
  }
  if (::close(std::exchange(descriptor, -1)) != 0 && !failed)
    failed = errno;
  if (failed)
    return failure("cannot write", failed);
  if (std::rename(temporary.c_str(), target.c_str()) != 0)
    return failure("cannot write", errno);
  temporary.clear();
  return {};
}

Status writeWhole(const std::string &path, std::string_view bytes) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.error();
  if (Status status = file->write(0, bytes.data(), bytes.size()); !status)
    return status;
  return file->commit();
}

} // namespace chimera::io
