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
#include "tools/chimera-serve/Speculation.h"
#include "tools/chimera-serve/TextStream.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace chimera::serve {

/// A continuation on its way.
struct Choice {
  chimera_sequence sequence = 0; ///< 0: none; the first has one while the prompt is fed, the others are forks of it.
  /// A copy of it as it was before the guesses of the step that is being made; 0: there are none.
  chimera_sequence before = 0;
  int64_t made = 0;
  int64_t fed = 0;           ///< Tokens that the sequence was fed, the prompt among them.
  int64_t told = 0;          ///< Tokens of which the modes were told.
  std::vector<int32_t> next; ///< Tokens that were chosen and not fed, at least one; behind them guesses.
  int64_t guessed = 0;       ///< How many of `next` are guesses.
  bool ended = false;
  std::unique_ptr<TextStream> text;
  std::unique_ptr<Speculation> speculation; ///< Null: nothing is guessed.
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
  bool wantsRouting() const { return job->generation.routing; }
};

/// What one work has in a step.
struct StepPart {
  Work *work = nullptr;
  size_t choice = 0;
  int64_t count = 0; ///< Tokens.
  bool prompt = false, allLogits = false;
};

/// What a step gave a part: its rows of logits, and the modes of its tokens, [count][layers], or null.
struct StepRows {
  const uint8_t *logits = nullptr;
  const int8_t *modes = nullptr;
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
  /// The token of a choice that is being continued.
  StepPart choicePart(Work &work, size_t choice) const { return {&work, choice, 1, false, false}; }
  /// Adds what else was chosen already, as far as there is room; returns how many tokens.
  int64_t addChosen(StepPart &part, int64_t room) const;
  /// Adds guesses to the part of a choice, as far as there is room; returns how many. Where there are any, there is a
  /// copy of its sequence until `take` or `takeBack`.
  int64_t addGuesses(StepPart &part, int64_t room);
  /// After a step that failed: forgets the guesses.
  void forgetGuesses(const StepPart &part);
  /// The item of a part; valid as long as the work.
  chimera_step_item item(const StepPart &part) const;
  /// Rows of logits that a part gets.
  static int64_t rows(const StepPart &part) { return part.allLogits ? part.count : wantsLast(part) ? 1 : 0; }
  /// Takes what a step gave a part.
  io::Status take(const StepPart &part, StepRows rows);
  /// Gives the sequences back.
  void release(Work &work);

private:
  static bool wantsLast(const StepPart &part) {
    if (!part.prompt)
      return part.count == int64_t(part.work->choices[part.choice].next.size());
    return part.work->fed + part.count == part.work->length() && part.work->job->generation.maxTokens > 0;
  }
  io::Status startSequence(Work &work);
  io::Status beginChoices(Work &work, const uint8_t *row);
  io::Status takePrompt(const StepPart &part, StepRows rows);
  io::Status takeChoice(const StepPart &part, StepRows rows);
  void settle(Choice &choice, const std::vector<int32_t> &fed, int64_t accepted);
  io::Status tell(Work &work, size_t choice, const int32_t *tokens, int64_t count, const int8_t *modes);
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
  std::vector<int32_t> guesses;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_WORK_H
