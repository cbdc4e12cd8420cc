// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One prompt of a request while it runs: what it feeds to a step, and what it makes of the step's results.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_WORK_H
#define CHIMERA_TOOLS_CHIMERASERVE_WORK_H

#include "runtime/core/Sampler.h"
#include "tools/chimera-serve/Job.h"
#include "tools/chimera-serve/MemoryPlan.h"
#include "tools/chimera-serve/Metrics.h"
#include "tools/chimera-serve/PrefixCache.h"
#include "tools/chimera-serve/ServedModel.h"
#include "tools/chimera-serve/TextStream.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace chimera::serve {

/// A continuation on its way.
struct Choice {
  chimera_sequence sequence = 0; ///< 0: none; the first has one while the prompt is fed, the others are forks of it.
  int64_t made = 0;
  int32_t next = 0; ///< The token that was chosen last.
  bool ended = false;
  std::unique_ptr<TextStream> text;
};

/// A prompt, its continuations, and what was planned for them.
struct Work {
  std::shared_ptr<Job> job;
  size_t prompt = 0;
  Need need;
  int64_t fed = 0;             ///< Tokens of the prompt, those of a kept beginning among them.
  std::vector<int64_t> keepAt; ///< After so many of them a copy is kept for other prompts; ascending.
  std::vector<Choice> choices;

  const Prompt &text() const { return job->generation.prompts[prompt]; }
  int64_t length() const { return int64_t(text().tokens.size()); }
  bool begins() const { return fed < length(); }
  bool done() const;
};

/// What one work has in a step.
struct StepPart {
  Work *work = nullptr;
  size_t choice = 0;
  int64_t count = 0; ///< Tokens.
  bool prompt = false, allLogits = false;
};

/// Does what is to be done for single works, on the scheduler's thread.
class Worker {
public:
  Worker(ServedModel &model, Metrics &metrics, PrefixCache &prefixes)
      : model(model), metrics(metrics), prefixes(prefixes) {}

  /// Gives the work a sequence, and says what comes before the first new token.
  io::Status begin(Work &work);
  /// The tokens that a prompt gets in a step with room for `room`, at least one.
  StepPart promptPart(Work &work, int64_t room) const;
  /// The item of a part; valid as long as the work.
  chimera_step_item item(const StepPart &part) const;
  /// Rows of logits that a part gets.
  static int64_t rows(const StepPart &part) { return part.allLogits ? part.count : wantsLast(part) ? 1 : 0; }
  /// Takes the rows of logits of a part.
  io::Status take(const StepPart &part, const uint8_t *logits);
  /// Gives the sequences back.
  void release(Work &work);

private:
  static bool wantsLast(const StepPart &part) {
    return !part.prompt ||
           (part.work->fed + part.count == part.work->length() && part.work->job->generation.maxTokens > 0);
  }
  io::Status startSequence(Work &work);
  io::Status takePrompt(const StepPart &part, const uint8_t *logits);
  io::Status choose(Work &work, size_t choice, const uint8_t *row);
  io::Status endChoice(Work &work, size_t choice, Piece piece);
  TokenLogprob score(const uint8_t *row, int32_t token, int64_t top) const;
  int64_t nameOf(const Work &work, size_t choice) const {
    return int64_t(work.prompt) * work.job->generation.choices + int64_t(choice);
  }

  ServedModel &model;
  Metrics &metrics;
  PrefixCache &prefixes;
  Sampler sampler{{}};
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_WORK_H
