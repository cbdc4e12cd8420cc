// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_TRAIN_REPORT_RUNLOG_H
#define CHIMERA_RUNTIME_TRAIN_REPORT_RUNLOG_H

#include "runtime/io/Json.h"

#include <string>
#include <vector>

namespace chimera::train {

/// A log in JSON lines: one object a line, each with the number "step" of steps done, rising. A line is in the file
/// when `write` returns. Move-only.
class RunLog {
public:
  /// Starts an empty log at `path`.
  static io::Result<RunLog> create(const std::string &path);

  /// Goes on with a log after `step` steps: lines of later steps, and all from the first that is broken (a run that was
  /// killed may have left half a line), are cut off. A log that is not there is started.
  static io::Result<RunLog> resume(const std::string &path, int64_t step);

  /// Appends a line. Errors: the system's, such as a full disk.
  io::Status write(const nlohmann::json &line);

  /// The lines that `resume` kept; they are given away.
  std::vector<nlohmann::json> takeKept() { return std::move(kept); }

  RunLog(RunLog &&other) noexcept;
  RunLog &operator=(RunLog &&other) noexcept;
  ~RunLog();

private:
  RunLog(std::string path, int descriptor) : name(std::move(path)), descriptor(descriptor) {}
  static io::Result<RunLog> open(const std::string &path, int flags);

  std::string name;
  int descriptor;
  std::vector<nlohmann::json> kept;
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_REPORT_RUNLOG_H
