// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/generation/HelperProcess.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace chimera::run {

using io::Error;
using io::Result;

/// Starts a process with `socket` as its standard input and output. 0, or the error of the system.
static int spawn(const std::vector<std::string> &command, int socket, pid_t &process) {
  std::vector<char *> arguments;
  for (const std::string &word : command)
    arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, socket, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // A group of its own: Ctrl-C is meant for this program.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  int code = posix_spawnp(&process, arguments[0], &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return code;
}

Result<HelperProcess> HelperProcess::start(const std::vector<std::string> &command) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return Error{std::strerror(errno)};
  pid_t process = -1;
  int code = spawn(command, ends[1], process);
  ::close(ends[1]);
  if (!code)
    return HelperProcess(process, ends[0]);
  ::close(ends[0]);
  return Error{std::strerror(code)};
}

HelperProcess::HelperProcess(HelperProcess &&other) noexcept
    : process(std::exchange(other.process, -1)), socket(std::exchange(other.socket, -1)), signal(other.signal) {}

HelperProcess::~HelperProcess() {
  kill();
}

void HelperProcess::kill() {
  if (socket >= 0)
    ::close(std::exchange(socket, -1));
  if (process <= 0)
    return;
  ::kill(process, SIGKILL);
  while (::waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
  }
  process = -1;
}

/// How the process, which has closed its output, ended.
Error HelperProcess::ended() {
  int status = 0;
  pid_t waited = 0;
  for (int i = 0; i < 400 && process > 0 && (waited = ::waitpid(process, &status, WNOHANG)) == 0; ++i)
    ::poll(nullptr, 0, 5);
  if (waited <= 0) {
    kill();
    return Error{"it has ended"};
  }
  process = -1;
  signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return Error{signal
                   ? std::string("it was ended by signal ") + std::to_string(signal) + " (" + ::strsignal(signal) + ")"
                   : "it ended with status " + std::to_string(WEXITSTATUS(status))};
}

Result<std::string> HelperProcess::ask(std::string line, double seconds, size_t mostBytes) {
  using Clock = std::chrono::steady_clock;
  auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  line += '\n';
  std::string answer;
  char bytes[65536];
  for (size_t sent = 0; answer.empty() || answer.back() != '\n';) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd file = {socket, short(sent < line.size() ? POLLIN | POLLOUT : POLLIN), 0};
    int ready = left > 0 && socket >= 0 ? ::poll(&file, 1, int(left)) : 0;
    if (ready < 0 && errno == EINTR)
      continue;
    if (ready <= 0) {
      kill();
      return Error{"it gives no answer"};
    }
    if (!(file.revents & POLLIN) && sent < line.size()) {
      ssize_t count = ::send(socket, line.data() + sent, line.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count >= 0)
        sent += size_t(count);
      else if (errno != EINTR && errno != EAGAIN)
        sent = line.size(); // It does not listen any more, but may have said why.
      continue;
    }
    ssize_t count = ::recv(socket, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN))
      return ended();
    answer.append(bytes, count > 0 ? size_t(count) : 0);
    if (answer.size() > mostBytes) {
      kill();
      return Error{"its answer is too long"};
    }
  }
  answer.pop_back();
  return answer;
}

} // namespace chimera::run
