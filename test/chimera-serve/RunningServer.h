// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// chimera-serve as a process.
#ifndef CHIMERA_TEST_CHIMERASERVE_RUNNINGSERVER_H
#define CHIMERA_TEST_CHIMERASERVE_RUNNINGSERVER_H

#include <string>
#include <vector>

namespace chimera::test {

/// The bytes of a request for a completion, for a connection of its own.
std::string completionRequest(const std::string &body);

/// A server that runs as long as this lives.
class RunningServer {
public:
  /// Starts it and waits until it is ready. `folder` takes its output.
  RunningServer(const std::vector<std::string> &command, const std::string &folder);
  ~RunningServer();
  RunningServer(const RunningServer &) = delete;
  RunningServer &operator=(const RunningServer &) = delete;

  int port() const { return listensOn; }
  int id() const { return process; }
  void signal(int number) const;
  /// The exit status once it ends, or minus the signal that ended it; -1000 where it goes on for so many seconds.
  int wait(double seconds = 20);
  bool alive();
  std::string errors() const;

private:
  std::string err;
  int process = 0, listensOn = 0, status = 0;
  bool ended = false;
};

} // namespace chimera::test

#endif // CHIMERA_TEST_CHIMERASERVE_RUNNINGSERVER_H
