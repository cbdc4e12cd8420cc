// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Train.h"

#include "tools/chimera-train/Evaluate.h"
#include "tools/chimera-train/Profile.h"
#include "tools/chimera-train/Signals.h"

#include <chrono>
#include <cmath>

namespace chimera::train {

using runtime::Error;

/// Means over the tokens of a step, by layer.
static std::vector<LayerShares> sharesOf(const StepReport &report, int64_t tokens) {
  std::vector<LayerShares> layers(report.hard.layers.size());
  for (const KindReport *kind : {&report.hard, &report.soft})
    for (size_t layer = 0; layer < layers.size(); ++layer) {
      const LayerStatistics &sums = kind->layers[layer];
      LayerShares &shares = layers[layer];
      for (size_t mode = 0; mode < size_t(numModes); ++mode) {
        shares.wanted[mode] += sums.wanted[mode] / double(tokens);
        shares.admitted[mode] += sums.admitted[mode] / double(tokens);
        shares.p[mode] += sums.p[mode] / double(tokens);
      }
      shares.entropy += sums.entropy / double(tokens);
      shares.refused += sums.refused / double(tokens);
    }
  return layers;
}

static StepRecord recordOf(const Run &run, const StepPlan &plan, const StepReport &report, double seconds) {
  StepRecord record;
  record.step = run.done;
  record.loss = report.loss();
  record.accuracy = report.accuracy();
  record.tokensPerSecond = double(run.tokensPerStep()) / seconds;
  record.learningRate = plan.hyper.learningRate;
  record.norm = std::sqrt(report.squaredNorm);
  record.temperature = plan.hyper.temperature;
  record.routing = plan.routing;
  record.cap = plan.cap;
  record.budgetPrice = plan.budgetPrice;
  record.squeezeWaits = run.plan->squeezeWaits(run.done, run.planState);
  for (size_t layer = 0; layer < run.model.layerModes.size(); ++layer) {
    const std::vector<Mode> &modes = run.model.layerModes[layer];
    if (modes.size() < 2)
      continue;
    LayerRecord routed{int64_t(layer), run.planState.shares[layer], {}};
    for (size_t k = 0; k < modes.size(); ++k)
      routed.bias[size_t(modes[k])] = double(run.state->bias(int64_t(layer))[k]);
    record.layers.push_back(routed);
  }
  return record;
}

/// Whether something that comes every so many steps, 0: never, comes now.
static bool isDue(int64_t every, int64_t done) {
  return every > 0 && done % every == 0;
}

/// Whether to evaluate after the steps done: there must be something held out.
static bool isEvaluationDue(const Run &run) {
  bool now = isDue(run.training.evaluateEvery, run.done) || run.done == run.options.steps;
  return now && run.data->hasHeldOut();
}

static Failure evaluateAndRecord(Run &run) {
  Result<EvaluationRecord> record = evaluate(run);
  if (!record)
    return record.error();
  if (record->soft)
    run.planState = run.plan->evaluated(run.planState, {record->soft->accuracy, record->hard.accuracy});
  run.planState.evaluationDue = false;
  if (run.journal)
    if (io::Status status = run.journal->evaluation(*record); !status)
      return Error(status.error());
  return std::nullopt;
}

static Failure saveCheckpoint(Run &run) {
  if (!run.isFirst())
    return std::nullopt;
  if (Failure failure = run.lock->check())
    return failure;
  return run.checkpoints->save(*run.state, {run.done, run.modelConfig(), run.identity, planStateText(run.planState)});
}

/// An error that ends the run. When sequences could not be read, the steps before are whole: they are saved, unless
/// `saved` says that they are.
static Error saveAndEnd(Run &run, Error error, int64_t saved) {
  if (error.status != CHIMERA_ERROR_SYSTEM || run.done == 0 || !run.isFirst())
    return error;
  Failure failure = saved == run.done ? Failure() : saveCheckpoint(run);
  error.message += failure ? "; nor can step " + std::to_string(run.done) + " be saved: " + failure->message
                           : "; step " + std::to_string(run.done) + " is saved, and --resume goes on from it";
  return error;
}

/// The evaluation that the run before could not do.
static Failure catchUp(Run &run) {
  if (!run.planState.evaluationDue)
    return std::nullopt;
  if (Failure failure = run.job.agree(evaluateAndRecord(run)))
    return failure;
  return run.job.agree(saveCheckpoint(run));
}

/// What the first rank does after a step; errors are its own.
static Failure recordStep(Run &run, const StepPlan &plan, const StepReport &report, double seconds) {
  if (!run.journal)
    return std::nullopt;
  io::Status status = run.journal->step(recordOf(run, plan, report, seconds), run.tokensPerStep(), seconds,
                                        run.done == run.options.steps);
  if (!status)
    return Error(status.error());
  return std::nullopt;
}

/// Of the sequences that ran hard; of all when none did.
static double hardAccuracy(const StepReport &report) {
  return report.hard.targets > 0 ? report.hard.correct / double(report.hard.targets) : report.accuracy();
}

/// Whether any rank was told to stop. Every rank calls it.
static Result<bool> stopAgreed(Run &run) {
  int64_t asked = stopRequested() ? 1 : 0;
  if (Failure failure = run.ranks.sum(&asked, 1))
    return *failure;
  return asked > 0;
}

/// What the first rank leaves at the end.
static Failure finish(Run &run, int64_t saved, const std::optional<Profile> &profile) {
  if (!run.isFirst())
    return std::nullopt;
  if (Failure failure = run.lock->check())
    return failure;
  if (Failure failure = run.tokenizer ? run.tokenizer->copyFiles() : std::nullopt)
    return failure;
  if (Failure failure = writeModel(*run.state, run.options.out, run.modelConfig()))
    return failure;
  if (profile)
    if (Failure failure = profile->write(run.options.out + "/profile.txt"))
      return failure;
  if (run.done < run.options.steps)
    run.journal->say("stopped after step " + std::to_string(saved) + "; --resume goes on");
  run.journal->finish(run.done == run.options.steps);
  return std::nullopt;
}

/// Takes the steps that are left. `saved`: the last that has a checkpoint, or -1.
static Failure takeSteps(Run &run, int64_t &saved) {
  const int64_t steps = run.options.steps;
  bool stopping = false;
  if (Failure failure = catchUp(run))
    return failure;
  std::optional<Profile> profile;
  if (run.options.profile)
    profile.emplace(*run.programs);
  while (run.done < steps && !stopping) {
    // The step.
    auto start = std::chrono::steady_clock::now();
    StepPlan plan = run.plan->at(run.done, run.planState);
    if (profile)
      profile->begin();
    Result<StepReport> report = run.trainer->step(run.input(plan));
    if (!report)
      return saveAndEnd(run, *run.job.agree(report.error()), saved); // All ranks fail alike.
    run.planState = run.plan->after(run.done, std::move(run.planState), sharesOf(*report, run.tokensPerStep()),
                                    hardAccuracy(*report));
    ++run.done;
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (profile)
      profile->end(seconds);
    if (Failure failure = run.job.agree(recordStep(run, plan, *report, seconds)))
      return failure;

    // Held-out sequences: they move the plan's state, so that they come before the checkpoint.
    run.planState.evaluationDue = isEvaluationDue(run);
    if (run.planState.evaluationDue)
      if (Failure failure = run.job.agree(evaluateAndRecord(run)))
        return saveAndEnd(run, *failure, saved);

    // Saving, and the wish to stop.
    Result<bool> stop = stopAgreed(run);
    if (!stop)
      return stop.error();
    stopping = *stop;
    if (isDue(run.training.checkpointEvery, run.done) || run.done == steps || stopping) {
      if (Failure failure = run.job.agree(saveCheckpoint(run)))
        return failure;
      saved = run.done;
    }
  }
  return run.job.agree(finish(run, saved, profile));
}

Failure train(Run &run) {
  int64_t saved = run.done > 0 ? run.done : -1;
  Failure failure = takeSteps(run, saved);
  if (failure && failure->status == CHIMERA_ERROR_DEVICE && saved > 0)
    failure->message += "; step " + std::to_string(saved) + " is saved, and --resume goes on from it";
  return failure;
}

Failure writeFirstGradients(Run &run) {
  StepPlan plan = run.plan->at(0, {});
  plan.prices.clear();
  Result<StepReport> report = run.trainer->gradients(run.input(plan));
  if (!report)
    return run.job.agree(report.error());
  return run.job.agree(run.isFirst() ? writeGradients(*run.state, run.options.gradients) : std::nullopt);
}

} // namespace chimera::train
