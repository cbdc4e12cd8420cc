// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program that answers lines with lines.
#ifndef CHIMERA_TOOLS_GENERATION_HELPERPROCESS_H
#define CHIMERA_TOOLS_GENERATION_HELPERPROCESS_H

#include "runtime/io/Result.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace chimera::run {

/// A process of its own whose standard input and output are one socket, and whose errors nobody reads. Signals of the
/// terminal do not reach it. It is killed at the end of its life here, and should end by itself with its input.
class HelperProcess {
public:
  /// Starts `command[0]` (a path, or a name searched in PATH). The error is the system's alone.
  static io::Result<HelperProcess> start(const std::vector<std::string> &command);

  HelperProcess(HelperProcess &&other) noexcept;
  HelperProcess &operator=(HelperProcess &&) = delete;
  ~HelperProcess();

  /// Sends a line (given without its end) and waits for one in return, no longer than `seconds` and `mostBytes`. The
  /// error says why there is none; the process is of no use from then on.
  io::Result<std::string> ask(std::string line, double seconds, size_t mostBytes);

  /// The signal that ended the process, once `ask` has failed; 0: none did.
  int endedBy() const { return signal; }

private:
  HelperProcess(pid_t process, int socket) : process(process), socket(socket) {}
  io::Error ended();
  void kill();

  pid_t process = -1;
  int socket = -1;
  int signal = 0;
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_GENERATION_HELPERPROCESS_H
