// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_IDENTITY_H
#define CHIMERA_TOOLS_CHIMERATRAIN_IDENTITY_H

#include "dialect/frontend/Json.h"
#include "runtime/train/RunIdentity.h"
#include "tools/chimera-train/Options.h"

#include <optional>
#include <string>

namespace chimera::train {

/// Puts the options that stand for keys of config.json in their places.
void applyOptions(const Options &options, JsonValue &config);

/// What a run is made from besides its settings. What is not known, or there is not, is empty.
struct RunSources {
  std::string data;           ///< In words: what and how much.
  std::string content;        ///< The digest of the data's files.
  std::string weights;        ///< Where the weights come from: a digest, or in words.
  std::string kernels;        ///< The target and the instruction set that runs.
  std::string tokenizer = {}; ///< The digest of the tokenizer that texts are encoded with.
};

/// What must be the same for a checkpoint to be gone on with, as a JSON object: the command line's numbers, what the
/// run is made from, and each key of the config (after applyOptions) but where and how often checkpoints are written.
/// Not the number of ranks and threads, which no bit depends on.
std::string runIdentity(const Options &options, const JsonValue &config, const RunSources &sources);

/// What must be the same on all ranks before they begin: the identity, and what else decides on what a rank does.
std::string rankIdentity(const Options &options, const JsonValue &config, const RunSources &sources);

/// The differences to a checkpoint with which a run goes on: another number of steps, other kernels, and what the
/// version that wrote the checkpoint did not note.
std::optional<std::string> toleratedDifference(const IdentityDifference &difference);

/// The settings under the key `training` of a model that is gone on with, as the config has them before applyOptions,
/// without those that the command line replaces: "optimizer.lr 0.01, routing \"soft\"". Empty: there are none.
std::string settingsOfModel(const Options &options, const JsonValue &config);

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_IDENTITY_H
