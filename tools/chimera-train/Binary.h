// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_BINARY_H
#define CHIMERA_TOOLS_CHIMERATRAIN_BINARY_H

#include "runtime/core/Error.h"
#include "tools/chimera-train/Options.h"

#include <string>

namespace chimera::train {

/// The most tokens, and sequences, that chimera-compile makes a program for.
inline constexpr int64_t mostTokens = 65536, mostSequences = 16384;

/// Where the binary of a run lies: --out/train-DIGEST.chm, the digest that of the config's text, of what the compiler
/// is asked for and of the compiler itself. `ranks`: over how many the sequences of a micro-step are spread.
runtime::Result<std::string> binaryPath(const Options &options, const std::string &config, int ranks);

/// Runs the chimera-compile beside this program unless the binary is there. Errors are the compiler's.
runtime::Failure makeBinary(const Options &options, const std::string &path, int ranks);

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_BINARY_H
