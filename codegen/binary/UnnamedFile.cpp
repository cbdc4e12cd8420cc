// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/UnnamedFile.h"
#include "llvm/Support/raw_ostream.h"
#include <cerrno>
#include <sys/mman.h>
#include <unistd.h>

namespace chimera::binary {

namespace {

llvm::Error fault(llvm::StringRef label, std::error_code error) {
  return llvm::createStringError(error, "cannot keep " + label + " in memory: " + error.message());
}

} // namespace

llvm::Expected<UnnamedFile> UnnamedFile::create(llvm::StringRef label, llvm::StringRef content) {
  UnnamedFile file(::memfd_create(label.str().c_str(), MFD_CLOEXEC));
  if (file.descriptor < 0)
    return fault(label, std::error_code(errno, std::generic_category()));
  llvm::raw_fd_ostream stream(file.descriptor, /*shouldClose=*/false);
  stream << content;
  stream.flush();
  if (std::error_code error = stream.error()) {
    stream.clear_error();
    return fault(label, error);
  }
  return std::move(file);
}

UnnamedFile::~UnnamedFile() {
  if (descriptor >= 0)
    ::close(descriptor);
}

std::string UnnamedFile::path() const {
  return "/proc/self/fd/" + std::to_string(descriptor);
}

} // namespace chimera::binary
