// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The command line of chimera-compile.
#ifndef CHIMERA_TOOLS_CHIMERACOMPILE_OPTIONS_H
#define CHIMERA_TOOLS_CHIMERACOMPILE_OPTIONS_H

#include "llvm/Support/Error.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace chimera::compile {

/// What to write; each stops the compiler at that level.
enum class Emit { Chimera, Dispatched, Fused, Kernels, LLVM, Assembly, PTX, Cubin, Memory, Resources, Binary };

struct Options {
  /// A model directory, a config.json or a .mlir file. Messages name it.
  std::string input;
  /// Whether the model comes from the standard input; `input` is then "<stdin>".
  bool readsStandardInput = false;
  /// "-": standard output. Empty: likewise (never for a binary).
  std::string output;
  /// cpu, cuda, sim or ref.
  std::string target;
  /// The ISAs of the cpu target: native, or names; none twice.
  std::vector<std::string> cpus;
  /// How matrices are kept (cpu only): same, int8 or int4.
  std::string weights;
  /// f32, bf16 or f64; absent: f32 for a config, what the file says for IR.
  std::optional<std::string> dtype;
  /// infer, train.
  std::vector<std::string> phases;
  /// invariant or fast.
  std::string numerics;
  int64_t maxTokens = 0;
  /// At most maxTokens.
  int64_t maxSeqs = 0;
  /// The most bytes of a training program's arena; 0: no limit.
  int64_t memoryLimit = 0;
  Emit emit = Emit::Binary;
  /// What chimera-run --routing wrote: modes that at most `dropShare` of a layer's tokens take are dropped.
  std::optional<std::string> dropModes;
  double dropShare = 0;
  /// Print how the config is understood, and compile nothing.
  bool explain = false;
};

/// Reads the command line. A misuse is an error of one line. --help and --version print and end the process with 0.
llvm::Expected<Options> parseCommandLine(int argc, char **argv);

} // namespace chimera::compile

#endif // CHIMERA_TOOLS_CHIMERACOMPILE_OPTIONS_H
