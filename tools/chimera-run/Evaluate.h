// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluating a batch of token sequences.
#ifndef CHIMERA_TOOLS_CHIMERARUN_EVALUATE_H
#define CHIMERA_TOOLS_CHIMERARUN_EVALUATE_H

#include "tools/chimera-run/Options.h"
#include "tools/generation/Engine.h"

namespace chimera::run {

/// Feeds the sequences of `options.tokens` to the model, cut by the schedule,
/// in rounds: the next chunk of every sequence that is not at its end, of as
/// many as hold their caches at once. Writes --logits and --routing, both or
/// neither.
io::Status evaluate(const Options &options, Engine &engine);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_EVALUATE_H
