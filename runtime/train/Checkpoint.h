// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checkpoints of a training run: folders that are there whole or not at all.
#ifndef CHIMERA_RUNTIME_TRAIN_CHECKPOINT_H
#define CHIMERA_RUNTIME_TRAIN_CHECKPOINT_H

#include "runtime/train/RunIdentity.h"
#include "runtime/train/State.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace chimera::train {

/// What a checkpoint holds besides the state's tensors.
struct CheckpointInfo {
  int64_t step = 0;   ///< Steps that are done: 0 ..
  std::string config; ///< The text of config.json.
  /// A JSON object that says what must be equal to go on: options and data of the run. A checkpoint in which it is
  /// another is of another run.
  std::string identity;
  /// The caller's own: position in the data, random state, what its plan remembers. A JSON value.
  std::string progress;
};

/// The checkpoints of a run, in the folders `folder`/step-00000042. Each holds model.safetensors and config.json (a
/// model directory as chimera-compile takes it), optimizer.safetensors, and checkpoint.json, which has the rest and the
/// XXH3-128 of every file and, last, of itself. A checkpoint is written under another name, flushed to the disk and
/// then renamed: whoever kills the process, or fills the disk, leaves the checkpoints before it as they were.
class Checkpoints {
public:
  /// Keeps the newest `keep` >= 1. Nothing is touched before the first `save`.
  Checkpoints(std::string folder, int64_t keep) : folder(std::move(folder)), keep(keep) {}

  /// For one rank: the lowest, as all have the same state. Writes a checkpoint and then removes all but the newest
  /// `keep`, and what killed runs left half written. Replaces a checkpoint of the same step. Errors name the file; a
  /// full disk is one.
  Failure save(const State &state, const CheckpointInfo &info) const;

  /// Removes what killed runs left half written. For the one process that writes here.
  void removeUnfinished() const;

  /// Loads the newest checkpoint that is whole into the state. Nothing: there is none at all. A damaged one is passed
  /// over, and `warn` told in one line. Errors: all that there are are damaged; or the newest whole one is of another
  /// run (a key of `identity` differs, which is named) or model (a tensor is missing or has another shape). Keys that
  /// may differ are those for which `tolerance` has a text, which `warn` is told.
  Result<std::optional<CheckpointInfo>> loadNewest(State &state, const std::string &identity,
                                                   const std::function<void(const std::string &)> &warn,
                                                   const Tolerance &tolerance = {}) const;

  /// The folder of a step's checkpoint.
  std::string path(int64_t step) const;
  /// The steps that have a folder, ascending, whole or not.
  std::vector<int64_t> steps() const;

private:
  std::string folder;
  int64_t keep;
};

/// Reads and checks one checkpoint: every file is there with its digest. Errors are damage.
Result<CheckpointInfo> readCheckpoint(const std::string &path);

/// Writes a model directory: model.safetensors and config.json, each atomically, into a folder that is made if need be.
Failure writeModel(const State &state, const std::string &folder, const std::string &config);

/// Writes the state's gradients as one safetensors file, by the names of the parameters.
Failure writeGradients(const State &state, const std::string &path);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_CHECKPOINT_H
