// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Continuing a text.
#ifndef CHIMERA_TOOLS_CHIMERARUN_GENERATE_H
#define CHIMERA_TOOLS_CHIMERARUN_GENERATE_H

#include "tools/chimera-run/Engine.h"
#include "tools/chimera-run/Options.h"

#include <cstdint>
#include <vector>

namespace chimera::run {

/// Feeds `options.prompt` (after the model's beginning-of-sequence token, if it
/// has one), cut by the schedule, prints it on stdout, and prints new tokens
/// until there are max-new-tokens or the model's end-of-sequence token comes.
io::Status generate(const Options &options, Engine &engine);

/// The mode that most of the modes [layers] of a token are, counting only
/// layers set in `counted`; of equals the first in canonical order; -1 when
/// none is counted.
int majorityMode(const int8_t *modes, const std::vector<bool> &counted);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_GENERATE_H
