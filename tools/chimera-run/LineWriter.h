// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writing whole lines.
#ifndef CHIMERA_TOOLS_CHIMERARUN_LINEWRITER_H
#define CHIMERA_TOOLS_CHIMERARUN_LINEWRITER_H

#include "runtime/io/Result.h"

#include <memory>
#include <string>

namespace chimera::run {

/// Writes each line at once. A SIGINT, SIGTERM or SIGHUP that comes meanwhile ends the program after it; a second one
/// does not wait.
class LineWriter {
public:
  /// Empties or creates a file; "" or "-": the standard output. The error names it.
  static io::Result<std::unique_ptr<LineWriter>> open(const std::string &path);
  ~LineWriter();
  LineWriter(const LineWriter &) = delete;
  LineWriter &operator=(const LineWriter &) = delete;

  /// Writes `line`, which ends in a newline.
  io::Status write(const std::string &line);

private:
  LineWriter(int descriptor, std::string name) : descriptor(descriptor), name(std::move(name)) {}

  int descriptor;
  std::string name;
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_LINEWRITER_H
