// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Running the project's tools from tests, and the files they need.
#ifndef CHIMERA_TEST_SUPPORT_SUBPROCESS_H
#define CHIMERA_TEST_SUPPORT_SUBPROCESS_H

#include <string>
#include <vector>

namespace chimera::test {

struct ProcessResult {
  /// The exit status, or -1 if a signal ended the process.
  int status;
  /// The signal that ended it, or 0.
  int signal;
  bool timedOut;
  std::string out;
  std::string err;

  /// "exit status 1, stderr: ..." for messages.
  std::string describe() const;
};

/// Runs `command[0]` (a path, or a name searched in PATH) and waits for it. After `timeoutSeconds` it is killed. Throws
/// std::runtime_error if it cannot be started.
ProcessResult runProcess(const std::vector<std::string> &command, double timeoutSeconds = 120);

/// Starts a command as runProcess does, with its output going to two files, and does not wait. Returns its process id.
int startProcess(const std::vector<std::string> &command, const std::string &out, const std::string &err);

/// Lines in `text`; a last one without a newline counts.
int countLines(const std::string &text);

std::string readFile(const std::string &path);
void writeFile(const std::string &path, const std::string &bytes);

/// A fresh directory that is removed with everything in it.
class TemporaryDirectory {
public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory &) = delete;
  TemporaryDirectory &operator=(const TemporaryDirectory &) = delete;

  const std::string &path() const { return directory; }
  /// The path of `name` in it.
  std::string file(const std::string &name) const { return directory + "/" + name; }

private:
  std::string directory;
};

} // namespace chimera::test

#endif
