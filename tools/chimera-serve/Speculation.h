// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Guesses of a continuation's next tokens, which a step of the model verifies together.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_SPECULATION_H
#define CHIMERA_TOOLS_CHIMERASERVE_SPECULATION_H

#include "tools/generation/NgramProposer.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace chimera::serve {

/// What speculation did in one step.
struct Speculated {
  int64_t proposed = 0, accepted = 0; ///< Tokens.
  int64_t repeated = 0;               ///< Tokens to be fed again, as the step was taken back.
  double seconds = 0;                 ///< Spent on copies of the caches.
  bool takenBack = false;
};

/// The guesses of one continuation. After guesses of which no token was right, some steps go by without any, and more
/// of them each time, so that a text that does not repeat itself pays little.
class Speculation {
public:
  /// A prompt's last tokens that are remembered: a bound on memory, as each continuation has its own.
  static constexpr size_t mostPromptTokens = size_t(1) << 16;
  /// The most guesses of a step.
  static constexpr int64_t mostGuesses = 64;

  explicit Speculation(const std::vector<int32_t> &prompt) {
    size_t count = std::min(prompt.size(), mostPromptTokens);
    text.append(prompt.data() + (prompt.size() - count), count);
  }

  void append(int32_t token) { text.append(token); }

  /// Sets `guesses` to at most `most` tokens that may come next, often none.
  void guess(int64_t most, std::vector<int32_t> &guesses) {
    guesses.clear();
    if (pause > 0)
      --pause;
    else
      text.propose(size_t(most), guesses);
  }

  /// How many of the guesses were right.
  void learn(int64_t accepted) {
    constexpr int mostFailures = 5; // 31 steps
    failures = accepted > 0 ? 0 : std::min(failures + 1, mostFailures);
    pause = (1 << failures) - 1;
  }

private:
  run::NgramProposer text;
  int failures = 0, pause = 0; ///< Wrong guesses one after the other; steps without any.
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_SPECULATION_H
