// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_TRAIN_REPORT_PAGE_H
#define CHIMERA_RUNTIME_TRAIN_REPORT_PAGE_H

#include "runtime/io/Result.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace chimera::train {

/// A page of curves over a run: one HTML file that needs nothing else. It is made of the same records as the log
/// (Records.h); of long runs it shows every n-th step.
class Page {
public:
  explicit Page(std::string path) : path(std::move(path)) {}

  /// Takes a line of the log: {"kind": "run" / "step" / "evaluation", ...}; others are left out.
  void add(const nlohmann::json &line);

  /// Replaces the file at once. `finished`: whether the run has ended.
  io::Status write(bool finished) const;

  /// The whole page.
  std::string html(bool finished) const;

private:
  /// The points of a kind: every stride-th of those added, at most `most`.
  struct Points {
    std::vector<nlohmann::json> kept;
    size_t stride = 1, added = 0;

    void add(nlohmann::json point);
  };

  std::string path;
  nlohmann::json run = nlohmann::json::object();
  Points steps, evaluations;
  nlohmann::json lastStep, lastEvaluation;
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_REPORT_PAGE_H
