// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/FolderLock.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace chimera::train {

using runtime::Error;
using runtime::Failure;
using runtime::Result;

static std::string hostName() {
  char name[256] = "";
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

FolderLock::FolderLock(FolderLock &&other) noexcept
    : folder(std::move(other.folder)), descriptor(std::exchange(other.descriptor, -1)) {}

FolderLock &FolderLock::operator=(FolderLock &&other) noexcept {
  std::swap(folder, other.folder);
  std::swap(descriptor, other.descriptor);
  return *this;
}

FolderLock::~FolderLock() {
  if (descriptor >= 0)
    ::close(descriptor);
}

/// The file has the number and the host of the process that took the lock last.
Error FolderLock::heldByAnother() const {
  char text[300] = "";
  ssize_t size = ::pread(descriptor, text, sizeof text - 1, 0);
  std::string line(text, size_t(size > 0 ? size : 0));
  line = line.substr(0, line.find('\n'));
  size_t space = line.find(' ');
  std::string process = line.substr(0, space), host = space == std::string::npos ? "" : line.substr(space + 1);
  std::string who = process.empty() ? "" : ", process " + io::escaped(process);
  if (!host.empty() && host != hostName())
    who += " on " + io::escaped(host);
  return Error(io::quote(folder) + ": another run is writing here" + who, CHIMERA_ERROR_SYSTEM);
}

Result<FolderLock> FolderLock::take(const std::string &folder, const std::function<void(const std::string &)> &warn) {
  FolderLock lock(folder, -1);
  lock.descriptor = ::open(lock.path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock.descriptor < 0)
    return runtime::systemError(io::quote(lock.path()) + ": cannot write", errno);
  int failed = 0;
  do {
    failed = ::flock(lock.descriptor, LOCK_EX | LOCK_NB) != 0 ? errno : 0;
  } while (failed == EINTR);
  if (failed == EWOULDBLOCK)
    return lock.heldByAnother();
  if (failed) {
    warn(io::quote(lock.path()) + ": cannot lock: " + std::strerror(failed) +
         "; nothing keeps another run from writing here too");
    return lock;
  }
  std::string line = std::to_string(::getpid()) + " " + hostName() + "\n";
  // Whoever cannot be named still holds the lock.
  [[maybe_unused]] int cut = ::ftruncate(lock.descriptor, 0);
  [[maybe_unused]] ssize_t written = ::pwrite(lock.descriptor, line.data(), line.size(), 0);
  return lock;
}

Failure FolderLock::check() const {
  struct stat ours = {}, there = {};
  if (descriptor < 0 || (::fstat(descriptor, &ours) == 0 && ::stat(path().c_str(), &there) == 0 &&
                         ours.st_dev == there.st_dev && ours.st_ino == there.st_ino))
    return std::nullopt;
  return Error(io::quote(folder) + ": was removed or replaced while this run wrote there; the run ends",
               CHIMERA_ERROR_SYSTEM);
}

} // namespace chimera::train
