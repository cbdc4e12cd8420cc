// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/support/Subprocess.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace chimera::test {

std::string ProcessResult::describe() const {
  std::ostringstream text;
  if (timedOut)
    text << "ran out of time";
  else if (signal != 0)
    text << "ended by signal " << signal << " (" << strsignal(signal) << ")";
  else
    text << "exit status " << status;
  text << ", stderr: " << (err.empty() ? "(empty)" : err);
  return text.str();
}

pid_t startProcess(const std::vector<std::string> &command, const std::string &out, const std::string &err) {
  std::vector<char *> arguments;
  for (const std::string &argument : command)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  int failure = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0)
    throw std::runtime_error("cannot start " + command[0] + ": " + strerror(failure));
  return child;
}

ProcessResult runProcess(const std::vector<std::string> &command, double timeoutSeconds) {
  TemporaryDirectory directory;
  std::string out = directory.file("out"), err = directory.file("err");
  pid_t child = startProcess(command, out, err);

  ProcessResult result{-1, 0, false, "", ""};
  auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(timeoutSeconds);
  int state = 0;
  while (waitpid(child, &state, WNOHANG) == 0) {
    if (!result.timedOut && std::chrono::steady_clock::now() > deadline) {
      kill(child, SIGKILL);
      result.timedOut = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (WIFEXITED(state))
    result.status = WEXITSTATUS(state);
  else
    result.signal = WTERMSIG(state);
  result.out = readFile(out);
  result.err = readFile(err);
  return result;
}

int countLines(const std::string &text) {
  auto lines = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  return text.empty() || text.back() == '\n' ? lines : lines + 1;
}

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw std::runtime_error("cannot read " + path);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

void writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file)
    throw std::runtime_error("cannot write " + path);
}

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "chimera-test-XXXXXX").string();
  if (!mkdtemp(pattern.data()))
    throw std::runtime_error("cannot make a temporary directory");
  directory = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
}

} // namespace chimera::test
