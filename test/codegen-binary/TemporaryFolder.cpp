// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-binary/TemporaryFolder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <cerrno>
#include <cstdlib>

namespace chimera::binary {

namespace {

llvm::Error fault(const llvm::Twine &path, std::error_code error) {
  return llvm::createStringError(error, path + ": " + error.message());
}

} // namespace

llvm::Expected<TemporaryFolder> TemporaryFolder::create() {
  llvm::SmallString<128> pattern;
  llvm::sys::path::system_temp_directory(/*ErasedOnReboot=*/true, pattern);
  llvm::sys::path::append(pattern, "chimera-XXXXXX");
  std::string path = pattern.str().str();
  if (!::mkdtemp(path.data()))
    return fault("cannot make the temporary folder " + path, std::error_code(errno, std::generic_category()));
  return TemporaryFolder(path);
}

TemporaryFolder::~TemporaryFolder() {
  for (const std::string &file : files)
    llvm::sys::fs::remove(file);
  if (!path.empty())
    llvm::sys::fs::remove(path);
}

std::string TemporaryFolder::reserve(llvm::StringRef name) {
  llvm::SmallString<128> file(path);
  llvm::sys::path::append(file, name);
  files.push_back(file.str().str());
  return files.back();
}

llvm::Expected<std::string> TemporaryFolder::add(llvm::StringRef name, llvm::StringRef content) {
  std::string file = reserve(name);
  std::error_code error;
  llvm::raw_fd_ostream stream(file, error);
  if (error)
    return fault(file, error);
  stream << content;
  stream.close();
  if (stream.has_error()) {
    error = stream.error();
    stream.clear_error();
    return fault(file, error);
  }
  return file;
}

} // namespace chimera::binary
