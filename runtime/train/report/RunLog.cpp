// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/report/RunLog.h"

#include "runtime/io/File.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace chimera::train {

static io::Error systemError(const std::string &path, const char *what) {
  return io::Error{io::quote(path) + ": " + what + ": " + std::strerror(errno)};
}

RunLog::RunLog(RunLog &&other) noexcept
    : name(std::move(other.name)), descriptor(std::exchange(other.descriptor, -1)), kept(std::move(other.kept)) {}

RunLog &RunLog::operator=(RunLog &&other) noexcept {
  std::swap(name, other.name);
  std::swap(descriptor, other.descriptor);
  std::swap(kept, other.kept);
  return *this;
}

RunLog::~RunLog() {
  if (descriptor >= 0)
    ::close(descriptor);
}

io::Result<RunLog> RunLog::open(const std::string &path, int flags) {
  int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0666);
  if (descriptor < 0)
    return systemError(path, "cannot write");
  return RunLog(path, descriptor);
}

io::Result<RunLog> RunLog::create(const std::string &path) {
  return open(path, O_TRUNC);
}

/// The line, if it is an object with a step of at most `step`.
static std::optional<nlohmann::json> readLine(const char *text, size_t size, int64_t step) {
  io::Result<nlohmann::json> line = io::parseJson(text, size);
  if (!line || !line->is_object() || !line->contains("step"))
    return std::nullopt;
  const nlohmann::json &at = (*line)["step"];
  if (!at.is_number_integer() || at.get<int64_t>() > step)
    return std::nullopt;
  return std::move(*line);
}

io::Result<RunLog> RunLog::resume(const std::string &path, int64_t step) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0 && errno == ENOENT)
    return create(path);
  std::vector<nlohmann::json> lines;
  size_t end = 0;
  io::Result<std::string> text = io::readWhole(path);
  if (!text)
    return text.error();
  for (size_t newline; (newline = text->find('\n', end)) != std::string::npos; end = newline + 1) {
    std::optional<nlohmann::json> line = readLine(text->data() + end, newline - end, step);
    if (!line)
      break;
    lines.push_back(std::move(*line));
  }
  io::Result<RunLog> log = open(path, 0);
  if (!log)
    return log;
  if (::ftruncate(log->descriptor, off_t(end)) != 0)
    return systemError(path, "cannot cut");
  log->kept = std::move(lines);
  return log;
}

io::Status RunLog::write(const nlohmann::json &line) {
  std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  for (size_t done = 0; done < text.size();) {
    ssize_t count = ::write(descriptor, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return systemError(name, "cannot write");
    done += size_t(count);
  }
  return {};
}

} // namespace chimera::train
