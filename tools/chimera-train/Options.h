// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The command line of chimera-train.
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_OPTIONS_H
#define CHIMERA_TOOLS_CHIMERATRAIN_OPTIONS_H

#include "runtime/train/data/Mixture.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace chimera::train {

struct Options {
  std::string model; ///< A config.json, or a model directory whose weights are gone on with.
  std::vector<SourceSpec> data;
  std::string out;
  int64_t steps = 0;
  int64_t batch = 0;
  int64_t length = 0; ///< --seq
  int64_t accumulate = 1;
  uint64_t seed = 0;
  std::string dtype = "f32";
  double heldOut = 0.05;     ///< 0: nothing is held out.
  std::string tokenizer;     ///< A file or folder; "bytes": bytes are tokens; empty: what lies beside the model.
  bool parseSpecial = false; ///< Special tokens that are written in a text are those tokens.
  bool resume = false;
  std::string gradients; ///< Empty: train.

  // In the place of keys of config.json.
  std::optional<std::string> routing;
  std::optional<double> learningRate;
  std::optional<int64_t> checkpointEvery, keep, evaluateEvery, evaluateSequences;

  // Of this machine.
  int64_t threads = 0; ///< 0: one a CPU.
  int64_t logEvery = 1;
  bool profile = false;
  std::string target = "cpu", mcpu, memoryLimit; ///< For chimera-compile; empty: its default.
};

/// Reads the command line. Otherwise the exit status: 0 after `--help` or `--version`, 2 after one line on stderr that
/// says what is wrong.
std::variant<Options, int> parseOptions(int argc, char **argv);

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_OPTIONS_H
