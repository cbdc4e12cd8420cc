// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/Output.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

namespace chimera::binary {

namespace {

llvm::Error fault(llvm::StringRef path, std::error_code error) {
  return llvm::createStringError(error, "cannot write " + path + ": " + error.message());
}

/// Writes and closes; the stream's own error would be fatal if nobody took it.
std::error_code writeAll(llvm::raw_fd_ostream &stream, llvm::StringRef bytes, bool close) {
  stream << bytes;
  if (close)
    stream.close();
  else
    stream.flush();
  std::error_code error = stream.error();
  stream.clear_error();
  return error;
}

llvm::Error replaceFile(llvm::StringRef path, llvm::StringRef target, llvm::StringRef bytes) {
  int descriptor = -1;
  llvm::SmallString<128> temporary;
  if (std::error_code error = llvm::sys::fs::createUniqueFile(target + ".%%%%%%%%.part", descriptor, temporary))
    return fault(path, error);
  llvm::sys::RemoveFileOnSignal(temporary);
  llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
  std::error_code error = writeAll(stream, bytes, /*close=*/true);
  if (!error)
    error = llvm::sys::fs::rename(temporary, target);
  if (error)
    llvm::sys::fs::remove(temporary);
  llvm::sys::DontRemoveFileOnSignal(temporary);
  return error ? fault(path, error) : llvm::Error::success();
}

} // namespace

llvm::Error writeOutput(llvm::StringRef path, llvm::StringRef bytes) {
  if (path == "-") {
    std::error_code error = writeAll(llvm::outs(), bytes, /*close=*/false);
    return error ? fault("standard output", error) : llvm::Error::success();
  }
  llvm::sys::fs::file_status status;
  std::error_code missing = llvm::sys::fs::status(path, status);
  if (missing || status.type() == llvm::sys::fs::file_type::regular_file) {
    // A link keeps pointing where it did: what it points to is replaced.
    llvm::SmallString<128> target(path);
    if (!missing)
      if (std::error_code error = llvm::sys::fs::real_path(path, target))
        return fault(path, error);
    return replaceFile(path, target, bytes);
  }
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (!error)
    error = writeAll(stream, bytes, /*close=*/true);
  return error ? fault(path, error) : llvm::Error::success();
}

} // namespace chimera::binary
