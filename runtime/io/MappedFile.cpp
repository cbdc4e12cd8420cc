// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace chimera::io {

Result<MappedFile> MappedFile::open(const std::string &path) {
  auto fail = [&](const std::string &what) { return Error{quote(path) + ": " + what}; };
  // Without O_NONBLOCK the open of a FIFO would wait for a writer.
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return fail(std::string("cannot open: ") + std::strerror(errno));
  struct stat info;
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(descriptor);
    return fail("not a regular file");
  }
  MappedFile file;
  file.name = path;
  file.length = size_t(info.st_size);
  if (file.length) {
    void *mapped = ::mmap(nullptr, file.length, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (mapped == MAP_FAILED) {
      int why = errno;
      file.length = 0;
      ::close(descriptor);
      return fail(std::string("cannot map: ") + std::strerror(why));
    }
    file.base = static_cast<const uint8_t *>(mapped);
  }
  ::close(descriptor);
  return file;
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : base(std::exchange(other.base, nullptr)), length(std::exchange(other.length, 0)), name(std::move(other.name)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(base, other.base);
  std::swap(length, other.length);
  std::swap(name, other.name);
  return *this;
}

MappedFile::~MappedFile() {
  if (base)
    ::munmap(const_cast<uint8_t *>(base), length);
}

} // namespace chimera::io
