// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where a run tells of itself: log, page and stderr, of the first rank.
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_JOURNAL_H
#define CHIMERA_TOOLS_CHIMERATRAIN_JOURNAL_H

#include "runtime/train/report/Page.h"
#include "runtime/train/report/Progress.h"
#include "runtime/train/report/Records.h"
#include "runtime/train/report/RunLog.h"

#include <chrono>
#include <memory>

namespace chimera::train {

class Journal {
public:
  /// Starts the log and page in `folder`, or goes on with them after `done` steps. `run` is the log's first line, and
  /// one more where the run goes on with other settings (`changed`). A log of steps that no checkpoint has is kept
  /// under another name, "log-1.jsonl", and the user told.
  static io::Result<std::unique_ptr<Journal>> open(const std::string &folder, nlohmann::json run, int64_t done,
                                                   bool changed, Progress progress, int64_t logEvery);

  ~Journal() { progress.finish(); }

  /// A step of `tokens` tokens is done, in `seconds`. Errors are the log's.
  io::Status step(const StepRecord &record, int64_t tokens, double seconds, bool last);
  /// An evaluation is done; the page is written.
  io::Status evaluation(const EvaluationRecord &record);
  /// A line of its own on stderr.
  void say(const std::string &text) { progress.line(text); }
  /// The page for the last time.
  void finish(bool finished);

private:
  Journal(RunLog log, Page page, Progress progress, int64_t logEvery)
      : log(std::move(log)), page(std::move(page)), progress(progress), logEvery(logEvery) {}
  void writePage(bool finished);

  RunLog log;
  Page page;
  Progress progress;
  int64_t logEvery;
  std::chrono::steady_clock::time_point pageWritten = std::chrono::steady_clock::now();
  bool pageFailed = false;
};

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_JOURNAL_H
