// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/CheckpointFiles.h"

#include "runtime/core/ModelFile.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/io/File.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <system_error>
#include <unistd.h>

namespace chimera::train {

using runtime::Error;

static std::string hexadecimal(const runtime::Digest &digest) {
  std::string text;
  for (uint8_t byte : digest) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", byte);
    text += hex;
  }
  return text;
}

std::string digestText(std::string_view bytes) {
  return hexadecimal(runtime::digestOf({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()}));
}

Result<nlohmann::json> describeFile(const std::string &path) {
  io::Result<io::File> file = io::File::open(path);
  if (!file)
    return Error(file.error());
  io::Result<runtime::Digest> digest = runtime::digestOf(*file);
  if (!digest)
    return Error(digest.error());
  return nlohmann::json{{"bytes", file->size()}, {"digest", hexadecimal(*digest)}};
}

Failure makeFolder(const std::string &path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code)
    return runtime::systemError(io::quote(path) + ": cannot make the folder", code.value());
  return std::nullopt;
}

Failure syncFolder(const std::string &path) {
  int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int failed = descriptor < 0 || fsync(descriptor) != 0 ? errno : 0;
  if (descriptor >= 0)
    close(descriptor);
  if (failed)
    return runtime::systemError(io::quote(path) + ": cannot flush the folder", failed);
  return std::nullopt;
}

Failure placeFolder(const std::string &from, const std::string &to) {
  if (access(to.c_str(), F_OK) == 0) {
    if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0)
      return std::nullopt;
    // A file system that cannot exchange: what was there goes first.
    std::error_code code;
    std::filesystem::remove_all(to, code);
  }
  if (std::rename(from.c_str(), to.c_str()) != 0)
    return runtime::systemError(io::quote(to) + ": cannot put the folder in place", errno);
  return std::nullopt;
}

Failure writeText(const std::string &path, const std::string &text) {
  if (io::Status status = io::writeWhole(path, text); !status)
    return Error(status.error());
  return std::nullopt;
}

Failure writeTensors(const std::string &path, const std::vector<HostTensor> &tensors) {
  std::vector<io::TensorView> views;
  for (const HostTensor &tensor : tensors)
    views.push_back(tensor.view());
  if (io::Status status = io::writeSafetensors(path, views, {{"format", "pt"}}); !status)
    return Error(status.error());
  return std::nullopt;
}

Result<std::string> readText(const std::string &path) {
  io::Result<std::string> text = io::readWhole(path);
  if (!text)
    return Error(text.error());
  return *text;
}

} // namespace chimera::train
