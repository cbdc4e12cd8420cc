// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The command line of chimera-run.
#ifndef CHIMERA_TOOLS_CHIMERARUN_OPTIONS_H
#define CHIMERA_TOOLS_CHIMERARUN_OPTIONS_H

#include "runtime/core/Sampler.h"
#include "tools/chimera-run/Schedule.h"
#include "tools/generation/ModelDefaults.h"
#include "tools/generation/ModelOptions.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace chimera::run {

/// When text is coloured: `Auto` when it goes to a terminal and NO_COLOR is not set.
enum class Color { Auto, Always, Never };

/// The most that --max-new-tokens can be.
inline constexpr int64_t mostNewTokens = int64_t(1) << 40;

/// What to do. Exactly one of `tokens`, `prompt`, `promptFile`, `jsonl`, `chat` and `messages` is set.
struct Options : ModelOptions { // Every file that is read, but for the weights, may be "-".
  int64_t maxSequences = 0;     ///< The most whose caches are held at once; 0: see `residentSequences`.
  bool stats = false;
  std::string report; ///< A page of what happens; empty: none.
  Schedule schedule;

  std::optional<std::string> tokens;
  std::string lengths; ///< Empty: none, as the next three.
  std::string forceRouting;
  std::string logits;
  std::string routing;

  std::optional<std::string> prompt;
  std::optional<std::string> promptFile;
  std::optional<std::string> jsonl;
  std::string output;                  ///< For the answers to `jsonl`; empty: the standard output.
  bool chat = false;                   ///< Messages come from the standard input.
  std::optional<std::string> messages; ///< A file with messages.
  std::optional<std::string> system;   ///< The first message of a chat.
  std::vector<std::string> stop;       ///< The new text ends before the first of these; none is empty.
  Color color = Color::Auto;
  std::optional<int64_t> colorLayer; ///< None: the majority over the layers.

  bool continues = false; ///< Whether new tokens are added, to the text or to each sequence of `tokens`.
  int64_t maxNewTokens = 64;
  SamplerOptions sampler;
  GivenSampling givenSampling; ///< By the command line; the rest is the model's to say.
  std::string outputTokens;    ///< Empty: none, as the next.
  std::string promptCache;

  /// Whether a chat template makes the text.
  bool chats() const { return chat || messages; }
  /// Where the text comes from.
  TextSource textSource() const {
    if (jsonl)
      return {"", " (the key tokens takes the ids)"};
    const char *option = prompt ? "--prompt" : promptFile ? "--prompt-file" : chat ? "--chat" : "--messages";
    return {std::string(option) + ": ", " (--tokens FILE takes the ids)"};
  }

  /// How many sequences hold their caches at the same time: maxSequences, or `otherwise`, and no more than `count`.
  int64_t residentSequences(int64_t count, int64_t otherwise) const {
    return std::clamp<int64_t>(maxSequences ? maxSequences : otherwise, 1, std::max<int64_t>(count, 1));
  }
};

/// Reads the command line. Otherwise the exit status: 0 after `--help` or
/// `--version` (1 if their text cannot be written), 2 after one line on stderr that says what is wrong.
std::variant<Options, int> parseOptions(int argc, char **argv);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_OPTIONS_H
