// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Continuing sequences of tokens, whatever they are and wherever their new tokens go.
#ifndef CHIMERA_TOOLS_CHIMERARUN_GENERATE_H
#define CHIMERA_TOOLS_CHIMERARUN_GENERATE_H

#include "tools/chimera-run/Options.h"
#include "tools/chimera-run/PromptCache.h"
#include "tools/generation/Engine.h"

#include <cstdint>

namespace chimera::run {

/// What a sequence begins with.
struct Beginning {
  const int32_t *tokens;          ///< [count]
  int64_t count;                  ///< >= 1
  const int8_t *forced = nullptr; ///< [count][layers], or null: see chimera_step_item.
};

/// How a sequence goes on.
struct Continuation {
  int64_t maxNewTokens;
  SamplerOptions sampler;
  uint64_t number; ///< Of the sequence, for its random numbers.
};

/// The sequences that are to be continued, numbered from 0, and what is to become of the new tokens. Sequences begin in
/// the order of their numbers, several are on their way at once, and they may end in any order.
class Sequences {
public:
  virtual ~Sequences() = default;

  /// How many there are; as long as that is not known, the most that a number holds.
  virtual int64_t count() const = 0;

  /// Whether the sequence, the first that has not begun, can begin. If not it may later, or `count` has become known.
  /// `wait`: nothing else is to do.
  virtual io::Result<bool> ready(int64_t /*sequence*/, bool /*wait*/) { return true; }

  /// The tokens of a sequence that starts now; valid until it has ended.
  virtual Beginning begin(int64_t sequence) = 0;

  /// How a sequence that starts now goes on.
  virtual Continuation continuation(int64_t sequence, const Options &options) const {
    return {options.maxNewTokens, options.sampler, uint64_t(sequence)};
  }

  /// A sequence of the session that goes on as this one, having been fed the first tokens of its beginning, but not
  /// all; 0: it is a new one.
  virtual chimera_sequence resumed(int64_t) const { return 0; }

  /// Whether `fed` wants to know the modes that the tokens were admitted to.
  virtual bool wantsRouting() const { return false; }

  /// Tokens first .. first+count-1 of its beginning were fed. `routing`: [count][layers], or null when it is not wanted
  /// or not known.
  virtual io::Status fed(int64_t sequence, int64_t first, int64_t count, const int8_t *routing) = 0;

  /// A new token was chosen.
  virtual io::Status made(int64_t sequence, int32_t token) = 0;

  /// Whether the sequence ends here, whatever else may come; asked after `fed` and after `made`.
  virtual bool stops(int64_t) const { return false; }

  /// No token could be chosen: the sequence ends without a call of `ended`, or with this error everything does.
  virtual io::Status failed(int64_t sequence, const io::Error &error) {
    return io::Error{nameOf(sequence) + error.message};
  }

  /// The sequence has all the new tokens that it gets.
  virtual io::Status ended(int64_t sequence) = 0;

  /// How messages call a sequence: "[3]: ", or nothing where there is but one.
  virtual std::string nameOf(int64_t sequence) const = 0;
};

/// Feeds each sequence's beginning, cut by the schedule, then new tokens one by one, until there are
/// as many as it gets or one of the model's end-of-sequence tokens is chosen, which is not added. The tokens of a
/// sequence depend on its beginning and its continuation alone. Starts the engine's session unless it has started,
/// which holds at most `options.residentSequences` at once; when one ends, the next one takes its place. With a
/// `cache`, which is for one sequence, tokens that it holds are not fed again.
io::Status generate(const Options &options, Engine &engine, Sequences &sequences, PromptCache *cache = nullptr);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_GENERATE_H
