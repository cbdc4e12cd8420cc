// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The report of --stats.
#ifndef CHIMERA_TOOLS_CHIMERARUN_STATS_H
#define CHIMERA_TOOLS_CHIMERARUN_STATS_H

#include "tools/generation/Engine.h"

#include <cstdio>

namespace chimera::run {

/// Prints how many tokens came from a prompt cache, tokens per second of prefill and decode steps, cache bytes by mode
/// (set aside, and of those in use) and the checkpoint's unused tensors.
io::Status printStats(const Engine &engine, std::FILE *stream);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_STATS_H
