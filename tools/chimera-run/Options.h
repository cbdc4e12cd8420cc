// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The command line of chimera-run.
#ifndef CHIMERA_TOOLS_CHIMERARUN_OPTIONS_H
#define CHIMERA_TOOLS_CHIMERARUN_OPTIONS_H

#include "runtime/core/Sampler.h"
#include "tools/chimera-run/Schedule.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace chimera::run {

/// When text is coloured: `Auto` when it goes to a terminal and NO_COLOR is not set.
enum class Color { Auto, Always, Never };

/// What to do. Exactly one of `tokens` and `prompt` is set.
struct Options {
  std::string model;
  std::string weights;
  int64_t threads = 0; ///< 0: one a CPU.
  bool stats = false;
  Schedule schedule;

  std::optional<std::string> tokens;
  std::string lengths; ///< Empty: none, as the next three.
  std::string forceRouting;
  std::string logits;
  std::string routing;

  std::optional<std::string> prompt;
  int64_t maxNewTokens = 64;
  SamplerOptions sampler;
  std::string tokenizer; ///< Empty: bytes are tokens.
  Color color = Color::Auto;
  std::optional<int64_t> colorLayer; ///< None: the majority over the layers.
};

/// Reads the command line. Otherwise the exit status: 0 after `--help` or
/// `--version`, 2 after one line on stderr that says what is wrong.
std::variant<Options, int> parseOptions(int argc, char **argv);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_OPTIONS_H
