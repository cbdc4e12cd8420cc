// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_IDENTITY_H
#define CHIMERA_TOOLS_CHIMERATRAIN_IDENTITY_H

#include "dialect/frontend/Json.h"
#include "tools/chimera-train/Options.h"

#include <string>

namespace chimera::train {

/// Puts the options that stand for keys of config.json in their places.
void applyOptions(const Options &options, JsonValue &config);

/// What must be the same for a checkpoint to be gone on with, as a JSON object: the command line's numbers, the data,
/// and each key of the config (after applyOptions) but where and how often checkpoints are written. Not the number of
/// ranks and threads, which no bit depends on.
std::string runIdentity(const Options &options, const JsonValue &config, const std::string &data);

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_IDENTITY_H
