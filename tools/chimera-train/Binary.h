// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_BINARY_H
#define CHIMERA_TOOLS_CHIMERATRAIN_BINARY_H

#include "runtime/core/Model.h"
#include "tools/chimera-train/Options.h"

#include <functional>
#include <memory>
#include <string>

namespace chimera::train {

/// The most tokens, and sequences, that chimera-compile makes a program for.
inline constexpr int64_t mostTokens = 65536, mostSequences = 16384;

/// Where the binary of a run lies: --out/train-DIGEST.chm, the digest that of the config's text, of what the compiler
/// is asked for, of the compiler itself and, where it chooses by the machine, of this machine's instruction sets.
/// `ranks`: over how many the sequences of a micro-step are spread.
runtime::Result<std::string> binaryPath(const Options &options, const std::string &config, int ranks);

/// Loads the binary; one that is not there is made first, by the chimera-compile beside this program. One that is there
/// and cannot be used here (damaged, of another version, for another CPU) is made again, and `warn` told. For the first
/// rank. Errors are the compiler's; also a signal to stop.
runtime::Result<std::shared_ptr<const runtime::Model>> makeBinary(const Options &options, const std::string &path,
                                                                  int ranks,
                                                                  const std::function<void(const std::string &)> &warn);

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_BINARY_H
