// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Continuing what lines of JSON ask for.
#ifndef CHIMERA_TOOLS_CHIMERARUN_CONTINUELINES_H
#define CHIMERA_TOOLS_CHIMERARUN_CONTINUELINES_H

#include "tools/chimera-run/LineReader.h"
#include "tools/chimera-run/Options.h"
#include "tools/generation/Engine.h"

namespace chimera::run {

/// Continues each line of --jsonl on its own, and answers each by a line, in their order, on stdout or in --output. The
/// error at the end, when all are answered: some lines have errors.
io::Status continueLines(const Options &options, LineReader &reader, Engine &engine);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_CONTINUELINES_H
