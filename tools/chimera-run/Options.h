// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The command line of chimera-run.
#ifndef CHIMERA_TOOLS_CHIMERARUN_OPTIONS_H
#define CHIMERA_TOOLS_CHIMERARUN_OPTIONS_H

#include "runtime/core/Sampler.h"
#include "tools/chimera-run/Schedule.h"

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
struct Options {
  std::string model; ///< "-": the standard input, as for every other file that is read but the weights.
  std::string weights;
  int64_t threads = 0;      ///< 0: as many as the process may use.
  int64_t maxSequences = 0; ///< The most whose caches are held at once; 0: see `residentSequences`.
  int64_t memoryLimit = 0;  ///< Bytes of the caches; 0: what the process may use.
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
  std::string chatTemplate;            ///< Empty: the model's own.
  std::optional<std::string> system;   ///< The first message of a chat.
  std::string tokenizer;               ///< A file or folder, or "bytes". Empty: see run::Tokenizer::open.
  bool parseSpecial = false;           ///< Special tokens that are written in the text count as those tokens.
  std::vector<std::string> stop;       ///< The new text ends before the first of these; none is empty.
  Color color = Color::Auto;
  std::optional<int64_t> colorLayer; ///< None: the majority over the layers.

  bool continues = false; ///< Whether new tokens are added, to the text or to each sequence of `tokens`.
  int64_t maxNewTokens = 64;
  SamplerOptions sampler;
  struct {
    bool temperature = false, topK = false, topP = false;
  } givenSampling;          ///< Which of them the command line gave; the others are the model's own (ModelDefaults.h).
  std::string outputTokens; ///< Empty: none, as the next.
  std::string promptCache;

  /// Whether a chat template makes the text.
  bool chats() const { return chat || messages; }
  /// The option that gives a text.
  const char *textSource() const {
    return prompt ? "--prompt" : promptFile ? "--prompt-file" : chat ? "--chat" : "--messages";
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
