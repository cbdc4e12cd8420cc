// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Journal.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <unistd.h>

namespace chimera::train {

/// Gives a log that has steps another name, which is returned; "" if there is none.
static io::Result<std::string> keepOldLog(const std::string &folder) {
  const std::string path = folder + "/log.jsonl";
  std::ifstream log(path, std::ios::binary);
  std::string line;
  if (!std::getline(log, line) || !std::getline(log, line))
    return std::string(); // at most the line of settings
  for (int number = 1;; ++number) {
    std::string name = folder + "/log-" + std::to_string(number) + ".jsonl";
    if (::access(name.c_str(), F_OK) == 0)
      continue;
    if (std::rename(path.c_str(), name.c_str()) != 0)
      return io::Error{io::quote(path) + ": cannot rename: " + std::strerror(errno)};
    return name;
  }
}

io::Result<std::unique_ptr<Journal>> Journal::open(const std::string &folder, nlohmann::json run, int64_t done,
                                                   bool changed, Progress progress, int64_t logEvery) {
  const std::string path = folder + "/log.jsonl";
  io::Result<std::string> old = done > 0 ? io::Result<std::string>(std::string()) : keepOldLog(folder);
  if (!old)
    return old.error();
  io::Result<RunLog> log = done > 0 ? RunLog::resume(path, done) : RunLog::create(path);
  if (!log)
    return log.error();
  std::vector<nlohmann::json> kept = log->takeKept();
  if (kept.empty() || changed)
    if (io::Status status = log->write(run); !status)
      return status.error();
  Page page(folder + "/training.html");
  for (const nlohmann::json &line : kept)
    page.add(line);
  page.add(run);
  std::unique_ptr<Journal> journal(new Journal(std::move(*log), std::move(page), progress, logEvery));
  if (!old->empty())
    journal->say(path + " was of a run that left no checkpoint; it is kept as " + *old);
  return journal;
}

io::Status Journal::step(const StepRecord &record, int64_t tokens, double seconds, bool last) {
  constexpr std::chrono::seconds betweenPages(15);
  progress.step(record.step, record.loss, record.accuracy, tokens, seconds);
  if (record.step % logEvery != 0 && !last)
    return {};
  nlohmann::json line = toJson(record);
  page.add(line);
  if (std::chrono::steady_clock::now() - pageWritten >= betweenPages)
    writePage(false);
  return log.write(line);
}

io::Status Journal::evaluation(const EvaluationRecord &record) {
  char numbers[160];
  int size = std::snprintf(numbers, sizeof numbers, "step %lld, held out: loss %.4f  accuracy %.4f",
                           static_cast<long long>(record.step), record.hard.loss, record.hard.accuracy);
  if (record.soft)
    std::snprintf(numbers + size, sizeof numbers - size_t(size), " hard, %.4f %.4f soft", record.soft->loss,
                  record.soft->accuracy);
  progress.line(numbers);
  nlohmann::json line = toJson(record);
  page.add(line);
  writePage(false);
  return log.write(line);
}

void Journal::writePage(bool finished) {
  pageWritten = std::chrono::steady_clock::now();
  io::Status status = page.write(finished);
  // A page is no reason to end a run; the log has all that it shows.
  if (!status && !pageFailed)
    progress.line("chimera-train: warning: " + status.error().message);
  pageFailed = !status;
}

void Journal::finish(bool finished) {
  progress.finish();
  writePage(finished);
}

} // namespace chimera::train
