// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERABENCH_PROCESS_H
#define CHIMERA_TOOLS_CHIMERABENCH_PROCESS_H

#include "runtime/io/Result.h"

#include <string>
#include <vector>

namespace chimera::bench {

struct ProcessOutput {
  int status = 0; ///< The exit status; 128 + n after signal n.
  std::string out, err;

  /// The last line of stderr that is not empty; "exit status n" without one.
  std::string lastError() const;
};

/// Runs a program (found in PATH unless it has a slash) with an empty standard input and waits for it. It gets a
/// SIGTERM when this process (the calling thread) ends before it, however that ends; and when `stop`, a descriptor, can
/// be read from, and some seconds after it a SIGKILL. The error says why it could not be started.
io::Result<ProcessOutput> runProcess(const std::vector<std::string> &command, int stop = -1);

/// Whether PATH has a program of this name.
bool isInPath(const std::string &name);

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_PROCESS_H
