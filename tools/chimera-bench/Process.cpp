// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/Process.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace chimera::bench {

std::string ProcessOutput::lastError() const {
  size_t end = err.find_last_not_of("\n\r ");
  if (end == std::string::npos)
    return "exit status " + std::to_string(status);
  size_t begin = err.find_last_of('\n', end);
  begin = begin == std::string::npos ? 0 : begin + 1;
  return err.substr(begin, end + 1 - begin);
}

namespace {
/// A pipe whose ends are closed at the end of its life.
struct Pipe {
  int ends[2] = {-1, -1};

  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0)
      ends[0] = ends[1] = -1;
  }
  Pipe(const Pipe &) = delete;
  Pipe &operator=(const Pipe &) = delete;
  ~Pipe() {
    shut(0);
    shut(1);
  }
  void shut(int end) {
    if (ends[end] >= 0)
      close(ends[end]);
    ends[end] = -1;
  }
};
} // namespace

/// Reads both pipes until the other side has closed them.
static void drain(Pipe &out, Pipe &err, ProcessOutput &result) {
  std::string *texts[] = {&result.out, &result.err};
  pollfd files[] = {{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}};
  char bytes[4096];
  while (files[0].fd >= 0 || files[1].fd >= 0) {
    if (poll(files, 2, -1) < 0 && errno != EINTR)
      return;
    for (int i = 0; i < 2; ++i) {
      if (files[i].fd < 0 || !files[i].revents)
        continue;
      ssize_t count = read(files[i].fd, bytes, sizeof bytes);
      if (count > 0)
        texts[i]->append(bytes, size_t(count));
      else if (count == 0 || errno != EINTR)
        files[i].fd = -1;
    }
  }
}

io::Result<ProcessOutput> runProcess(const std::vector<std::string> &command) {
  Pipe out, err;
  if (out.ends[0] < 0 || err.ends[0] < 0)
    return io::Error{std::string("making a pipe: ") + std::strerror(errno)};
  std::vector<char *> arguments;
  for (const std::string &word : command)
    arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], 2);
  pid_t process = 0;
  int code = posix_spawnp(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0)
    return io::Error{"starting " + io::quote(command[0]) + ": " + std::strerror(code)};
  out.shut(1);
  err.shut(1);
  ProcessOutput result;
  drain(out, err, result);
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

bool isInPath(const std::string &name) {
  const char *path = std::getenv("PATH");
  std::string folders = path ? path : "";
  for (size_t at = 0; at <= folders.size();) {
    size_t end = std::min(folders.find(':', at), folders.size());
    std::string folder = folders.substr(at, end - at);
    if (access(((folder.empty() ? "." : folder) + "/" + name).c_str(), X_OK) == 0)
      return true;
    at = end + 1;
  }
  return false;
}

} // namespace chimera::bench
