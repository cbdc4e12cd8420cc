// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the training programs of a model binary.
#ifndef CHIMERA_RUNTIME_TRAIN_PROGRAMS_H
#define CHIMERA_RUNTIME_TRAIN_PROGRAMS_H

#include "runtime/core/LaunchTable.h"
#include "runtime/core/StepBuffers.h"
#include "runtime/train/LaunchTimes.h"
#include "runtime/train/RunBatch.h"
#include "runtime/train/State.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace chimera::train {

using runtime::TrainingProgram;

/// Sums over rows of what a router did, by canonical mode.
struct LayerStatistics {
  std::array<double, 4> wanted = {}, admitted = {}, p = {};
  double entropy = 0;
  double refused = 0;
};
static_assert(sizeof(LayerStatistics) == abi::routeStatistics * sizeof(double));

/// What a program gave back; what it does not have is as it is here.
struct RunResults {
  double nll = 0;                      ///< The sum of the negative log likelihoods of the targets that count.
  double correct = 0;                  ///< How many of them had the highest logit.
  std::vector<LayerStatistics> layers; ///< By layer; zeros for one without router.
  std::vector<int8_t> modes;           ///< [N][layers], of evaluate_*.
  double squaredNorm = 0;              ///< Of the gradient before clipping, of update.
};

/// The training programs of a binary, bound to a state.
class Programs {
public:
  /// The state must outlive the programs; its device loads their kernels, where it does not run those of the binary.
  /// `poison` fills the arena with NaNs before each run, which shows reads of what no launch wrote. Fails when memory
  /// is short, the device refuses the kernels, or a program lacks a result.
  static Result<std::unique_ptr<Programs>> create(State &state, bool poison = false);

  State &state() const { return owned; }
  bool has(TrainingProgram program) const { return tables[size_t(program)].phase() != nullptr; }
  /// Whether some layer has a router.
  bool routes() const { return anyRouter; }
  /// Fails unless the binary has the program and a run of so many rows and sequences fits it.
  Failure check(TrainingProgram program, int64_t rows, int64_t seqs) const;

  /// Runs a program that `check` allows, up to where ranks exchange gradients. A run without sequences gives zeros,
  /// gradients included. Only the device can fail (Device::failure).
  void run(TrainingProgram program, const RunBatch &batch, RunResults &results);
  /// The ranges that ranks sum after a run, elements of the state's type: the gradients, and parts of gradients that
  /// `finish` adds up.
  std::vector<std::pair<uint8_t *, int64_t>> exchanged(TrainingProgram program) const;
  /// The rest of the program that `run` ran last.
  void finish(TrainingProgram program);
  /// `accumulate` or `update`, which need no batch but `hyper`.
  void run(TrainingProgram program, const Hyper &hyper, RunResults &results);

  /// Times each launch to come into `to`, until it is replaced; null: no launch is timed.
  void setTimes(LaunchTimes *to) { times = to; }

  /// Runs a program again, launch by launch, and names the first after which a NaN or an infinity is in memory that was
  /// without (op, layer, kernel); or the parameter that has one beforehand. Empty: there is none. Looks at the arena
  /// and the gradients for the bits of infinities and of the NaNs that arithmetic makes: the table does not say which
  /// elements a buffer has. Not for `update`, which would change the parameters twice.
  std::string firstNonFinite(TrainingProgram program, const RunBatch &batch);

private:
  explicit Programs(State &state) : owned(state) {}
  Failure allocateBuffers();
  Failure bind(TrainingProgram program);
  void *resolve(const runtime::Buffer &buffer) const;
  void upload(const RunBatch &batch);
  void runLaunches(TrainingProgram program, size_t first, size_t end);
  void readResults(const runtime::Phase &phase, int64_t rows, RunResults &results) const;

  State &owned;
  bool poison = false;
  bool anyRouter = false;
  bool noiseIsZero = true;
  LaunchTimes *times = nullptr;
  size_t arenaBytes = 0;
  runtime::OwnedRegion arena;
  runtime::StepBuffers buffers;
  std::array<runtime::LaunchTable, runtime::trainingProgramCount> tables;
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_PROGRAMS_H
