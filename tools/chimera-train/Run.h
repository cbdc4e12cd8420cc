// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All that a run of training consists of, and where it is.
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_RUN_H
#define CHIMERA_TOOLS_CHIMERATRAIN_RUN_H

#include "dialect/frontend/Json.h"
#include "runtime/device/Device.h"
#include "runtime/train/Checkpoint.h"
#include "runtime/train/Step.h"
#include "runtime/train/config/Plan.h"
#include "runtime/train/data/Mixture.h"
#include "tools/chimera-train/FolderLock.h"
#include "tools/chimera-train/Identity.h"
#include "tools/chimera-train/Job.h"
#include "tools/chimera-train/Journal.h"
#include "tools/chimera-train/Options.h"
#include "tools/chimera-train/RunTokenizer.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

namespace chimera::train {

struct Run {
  const Options &options;
  Job &job;
  Communicator &ranks; ///< Of the job.

  // What is to be done.
  JsonValue configText;      ///< config.json with the command line's values in their places.
  std::string modelSettings; ///< Of a trained model that is gone on with: settingsOfModel.
  Config model;
  TrainingConfig training;
  std::optional<RunTokenizer> tokenizer; ///< Beside the model, or named.
  bool encodes = false;                  ///< Whether there are texts, which it encodes into --out.
  std::unique_ptr<Mixture> data;
  RunSources sources;
  std::string identity;
  std::optional<Plan> plan;

  // What does it.
  std::shared_ptr<const runtime::Model> binary;
  std::unique_ptr<runtime::Device> device;
  std::unique_ptr<State> state;
  std::unique_ptr<Programs> programs;
  std::unique_ptr<Trainer> trainer;
  std::optional<FolderLock> lock; ///< Of the first rank, and where a run is written.
  std::optional<Checkpoints> checkpoints;
  std::unique_ptr<Journal> journal; ///< Of the first rank, else null.

  // Where it is.
  int64_t done = 0;     ///< Steps.
  bool changed = false; ///< Whether the checkpoint that is gone on with has other, tolerated settings.
  PlanState planState;

  Run(const Options &options, Job &job) : options(options), job(job), ranks(job.ranks) {}

  /// Reads config and data, compiles, loads weights or, with --resume, the newest good checkpoint. All ranks succeed,
  /// or none: each has the same of all that bits depend on. A signal to stop is a failure.
  static Result<std::unique_ptr<Run>> open(const Options &options, Job &job);

  /// A line on stderr, once for all ranks.
  void warn(const std::string &text) const;
  bool isFirst() const { return ranks.rank() == 0; }
  /// Tokens of a step: A B T.
  int64_t tokensPerStep() const { return options.accumulate * options.batch * options.length; }
  /// What the next step is to do.
  StepInput input(const StepPlan &plan) const;
  /// The router's temperature of the model as it is after the steps done: the next step's, or at the end the last
  /// one's.
  double temperature() const {
    return training.temperature.at(scheduleFraction(std::min(done, options.steps - 1), options.steps));
  }
  /// config.json of the model as it is: with that temperature.
  std::string modelConfig() const;

private:
  Failure readInput();
  Failure findTexts();
  Failure openData();
  Failure readSources();
  Failure readOutput();
  Failure openEncoded(bool first);
  Failure compile(std::string &path);
  Failure load(const std::string &path);
  Failure start();
  Failure loadWeights();
  Failure resume();
  Failure compareRanks();
  Failure openJournal();
  bool isInPlace() const;
  bool hasWeights() const;
};

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_RUN_H
