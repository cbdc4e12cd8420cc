// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/Process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
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

/// Reads both pipes until the other side has closed them. False: `stop` can be read from.
static bool drain(Pipe &out, Pipe &err, int stop, ProcessOutput &result) {
  std::string *texts[] = {&result.out, &result.err};
  pollfd files[] = {{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}, {stop, POLLIN, 0}};
  char bytes[4096];
  while (files[0].fd >= 0 || files[1].fd >= 0) {
    if (poll(files, 3, -1) < 0) {
      if (errno != EINTR)
        return true;
      continue;
    }
    if (stop >= 0 && files[2].revents)
      return false;
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
  return true;
}

/// The status of a process that has been told to end; one that does not within ten seconds is killed.
static int waitForEnd(pid_t process) {
  constexpr int patience = 1000, milliseconds = 10;
  kill(process, SIGTERM);
  int status = 0;
  for (int i = 0; i < patience; ++i) {
    if (waitpid(process, &status, WNOHANG) != 0)
      return status;
    poll(nullptr, 0, milliseconds);
  }
  kill(process, SIGKILL);
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// In the new process, in which every signal is blocked: becomes the program. Only what is allowed between fork and
/// exec of a process with threads. `report` takes the error of what fails.
[[noreturn]] static void becomeProgram(char *const *arguments, const Pipe &out, const Pipe &err, const Pipe &report,
                                       pid_t parent, const sigset_t &mask) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  // Handlers of the parent have no business here.
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action = {};
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_IGN)
      std::signal(signal, SIG_DFL);
  }
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  int empty = open("/dev/null", O_RDONLY | O_CLOEXEC);
  // A parent that had ended before the prctl would be another by now.
  if (getppid() == parent && empty >= 0 && dup2(empty, 0) >= 0 && dup2(out.ends[1], 1) >= 0 &&
      dup2(err.ends[1], 2) >= 0)
    execvp(arguments[0], arguments);
  int code = errno;
  [[maybe_unused]] ssize_t written = write(report.ends[1], &code, sizeof code);
  _exit(127);
}

/// Starts a program. 0: it has started; else the error of the system.
static int start(const std::vector<std::string> &command, const Pipe &out, const Pipe &err, pid_t &process) {
  std::vector<char *> arguments;
  for (const std::string &word : command)
    arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  Pipe report; // Closed by a program that starts.
  if (report.ends[0] < 0)
    return errno;
  sigset_t all, mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  pid_t parent = getpid();
  process = fork();
  if (process == 0)
    becomeProgram(arguments.data(), out, err, report, parent, mask);
  int code = process < 0 ? errno : 0;
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  if (code)
    return code;
  report.shut(1);
  ssize_t count = 0;
  while ((count = read(report.ends[0], &code, sizeof code)) < 0 && errno == EINTR) {
  }
  if (count != sizeof code)
    return 0;
  waitpid(process, nullptr, 0);
  return code;
}

io::Result<ProcessOutput> runProcess(const std::vector<std::string> &command, int stop) {
  Pipe out, err;
  if (out.ends[0] < 0 || err.ends[0] < 0)
    return io::Error{std::string("making a pipe: ") + std::strerror(errno)};
  pid_t process = 0;
  if (int code = start(command, out, err, process))
    return io::Error{"starting " + io::quote(command[0]) + ": " + std::strerror(code)};
  out.shut(1);
  err.shut(1);
  ProcessOutput result;
  int status = 0;
  if (!drain(out, err, stop, result))
    status = waitForEnd(process);
  else
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
