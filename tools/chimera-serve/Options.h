// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The command line of chimera-serve.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_OPTIONS_H
#define CHIMERA_TOOLS_CHIMERASERVE_OPTIONS_H

#include "tools/generation/ModelOptions.h"

#include <cstdint>
#include <string>
#include <variant>

namespace chimera::serve {

/// What to serve, and how.
struct Options : run::ModelOptions {
  std::string host = "127.0.0.1";
  int64_t port = 8080;      ///< 0: a free one.
  std::string modelName;    ///< As requests call it; empty: the file's name without its ending.
  int64_t maxSequences = 0; ///< 0: as many as one step of the binary holds.
  int64_t stepTokens = 0;   ///< 0: as many as one step of the binary holds.
  int64_t maxContext = 0;   ///< 0: what the model was made for, or what fits the memory.
  int64_t queue = 64;
  int64_t prefixes = 32; ///< 0: none are kept.
  int64_t guesses = 0;   ///< The most tokens that a step verifies for requests that do not say.
  double timeout = 600;  ///< Seconds; 0: none.
  int64_t maxBody = int64_t(16) << 20;
  int64_t connections = 256;
  std::string apiKey; ///< Empty: none, as the next.
  std::string apiKeyFile;
};

/// Reads the command line. Otherwise the exit status: 0 after `--help` or `--version` (1 if their text cannot be
/// written), 2 after one line on stderr that says what is wrong.
std::variant<Options, int> parseOptions(int argc, char **argv);

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_OPTIONS_H
