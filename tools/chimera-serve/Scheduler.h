// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Continuous batching: one thread owns the session, and each of its steps has a token of every sequence that is being
// continued, and pieces of prompts up to a budget.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_SCHEDULER_H
#define CHIMERA_TOOLS_CHIMERASERVE_SCHEDULER_H

#include "runtime/core/Sampler.h"
#include "tools/chimera-serve/Job.h"
#include "tools/chimera-serve/MemoryPlan.h"
#include "tools/chimera-serve/Metrics.h"
#include "tools/chimera-serve/ServedModel.h"
#include "tools/chimera-serve/Work.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace chimera::serve {

struct SchedulerOptions {
  int64_t stepTokens = 0;   ///< The most tokens of a step: those of prompts fill what decoding leaves, at least one;
                            ///< guesses what both leave.
  int64_t maxSequences = 0; ///< The most sequences that hold memory.
  int64_t queue = 0;        ///< The most requests that wait.
  int64_t prefixes = 0;     ///< The most beginnings of prompts that are kept.
};

/// Takes requests from any thread and runs them on its own. A prompt begins when all that it may ever need fits beside
/// what was promised to those before it, in the order in which requests came.
class Scheduler {
public:
  /// The model's session must have been started with `sequencesOf` sequences and the model's memory limit.
  Scheduler(ServedModel &model, Metrics &metrics, const SchedulerOptions &options);
  /// Ends the thread; what is not complete fails.
  ~Scheduler();
  Scheduler(const Scheduler &) = delete;
  Scheduler &operator=(const Scheduler &) = delete;

  /// How many sequences the session must have places for: those that run, a copy of each while guesses are verified,
  /// and those that are kept.
  static int64_t sequencesOf(const SchedulerOptions &options) { return 2 * options.maxSequences + options.prefixes; }

  void start();

  /// The most new tokens that could ever follow a prompt of so many tokens, with so many choices; negative: not even
  /// the prompt has room.
  int64_t mostNewTokens(int64_t promptTokens, int64_t choices) const;

  /// Takes a request: from then on the job tells what becomes of it. Otherwise what to tell the client: too much waits,
  /// or the server is about to end.
  std::optional<ApiError> submit(const std::shared_ptr<Job> &job);
  /// After Job::cancel: gives back soon what the job holds.
  void cancelled();

  /// Refuses requests from now on.
  void drain();
  /// Why requests are refused: the server is about to end, or its device has failed. Nothing: they are taken.
  std::optional<ApiError> refusal() const;
  /// Whether nothing runs and nothing waits.
  bool idle() const;

  /// Told once, on the scheduler's thread, that the device has failed for good (CHIMERA_ERROR_DEVICE), after all
  /// requests have failed and new ones are refused. To be set before `start`.
  std::function<void(const io::Error &)> onLoss;
  /// Whether that is so.
  bool lost() const;

private:
  void loop();
  void admit();
  void sweep();
  std::vector<StepPart> partsOfStep();
  void addGuesses(std::vector<StepPart> &parts, int64_t room);
  void step();
  void dropWaiting();
  void end(Work &work);
  void failAll(const ApiError &error);
  void lose(const io::Error &error);
  void failed(const Work &work, const io::Error &error);
  void recover(const io::Error &error, const std::vector<StepPart> &parts);
  void publish(bool force);

  ServedModel &model;
  Metrics &metrics;
  const SchedulerOptions options;

  mutable std::mutex mutex; ///< Guards what follows up to `running`.
  std::condition_variable changed;
  MemoryPlan plan;
  std::deque<std::unique_ptr<Work>> waiting;
  std::vector<std::unique_ptr<Work>> admitted; ///< That the thread has not taken yet.
  int64_t waitingJobs = 0;                     ///< Requests that have something in `waiting`.
  std::optional<ApiError> refused;             ///< What `refusal` gives.
  bool stopping = false, cancelling = false, busy = false, deviceLost = false;

  // The thread's own.
  PrefixCache prefixes;
  Worker worker;
  std::vector<std::unique_ptr<Work>> running;
  std::vector<uint8_t> logits;
  std::vector<int8_t> routing;
  Job::Clock::time_point published;
  std::thread thread;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_SCHEDULER_H
