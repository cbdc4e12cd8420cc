// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One step of training, and evaluation, over all ranks.
#ifndef CHIMERA_RUNTIME_TRAIN_STEP_H
#define CHIMERA_RUNTIME_TRAIN_STEP_H

#include "runtime/train/Balancer.h"
#include "runtime/train/Communicator.h"
#include "runtime/train/Programs.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace chimera::train {

/// What is the same in all steps.
struct TrainerOptions {
  int64_t batch = 1;      ///< B: the sequences of a micro-step, over all ranks.
  int64_t accumulate = 1; ///< A: the micro-steps of a step.
  int64_t length = 1;     ///< T: the tokens of a sequence.
  uint64_t seed = 0;      ///< Of the noise.
  BalancerOptions balancer;
};

/// Writes sequence `index`: T tokens, and T targets (-100: not counted). Fails when they cannot be read.
using SequenceReader = std::function<io::Status(int64_t index, int32_t *tokens, int32_t *targets)>;

/// What changes from step to step.
struct StepInput {
  uint32_t step = 0;          ///< Its number from 0: of the noise. Messages count from 1, as the log does.
  SequenceReader read;        ///< index 0 .. A*B - 1; called for this rank's sequences only, each once.
  double hardShare = 1;       ///< The share of each micro-step's sequences, its first ones, that route hard.
  bool hardNoise = false;     ///< Gumbel noise on the choice of the hard ones.
  bool softNoise = false;     ///< Gumbel noise in the probabilities of the others.
  Hyper hyper;                ///< The loss scale is found here.
  std::vector<double> prices; ///< [layers][13], or empty: zeros.
  double balancer = 1;        ///< Factor on the balancer's step; 0: it stands still.
};

/// Sums over the sequences of one kind of routing, over all ranks.
struct KindReport {
  int64_t sequences = 0, tokens = 0, targets = 0;
  double nll = 0, correct = 0;
  std::vector<LayerStatistics> layers; ///< By layer; zeros for one without router.
};

struct StepReport {
  KindReport hard, soft;
  double squaredNorm = 0; ///< Of the gradient before clipping.

  int64_t targets() const { return hard.targets + soft.targets; }
  /// The mean cross entropy (nats) over the targets that count, and the share of them with the highest logit.
  double loss() const { return (hard.nll + soft.nll) / double(targets()); }
  double accuracy() const { return (hard.correct + soft.correct) / double(targets()); }
};

enum class RoutingKind : uint8_t { Hard, Soft };

/// What to evaluate.
struct EvaluationInput {
  RoutingKind kind = RoutingKind::Hard;
  int64_t sequences = 0; ///< A multiple of the batch.
  SequenceReader read;   ///< index 0 .. sequences - 1; called for this rank's sequences only.
  double temperature = 1;
  /// Called with the admitted modes [T][layers] of each of this rank's sequences; may be empty.
  std::function<void(int64_t index, const int8_t *modes)> modes;
};

/// Steps a state. The bits of everything do not depend on the number of ranks or threads (docs/model-binary.md,
/// "Training"): the sequences of a micro-step are cut into 2^k leaves, k = min(how often 2 divides B, 4), of
/// consecutive sequences, and rank p of P has the leaves p leaves / P .. (p+1) leaves / P - 1.
class Trainer {
public:
  /// Programs and communicator must outlive the trainer. Fails when a program is missing, the ranks do not divide the
  /// leaves, or a rank's share of a micro-step does not fit the binary.
  static Result<std::unique_ptr<Trainer>> create(Programs &programs, Communicator &ranks,
                                                 const TrainerOptions &options);

  /// One step: gradients, clipping and AdamW, balancer. Needs a state with totals if the step has several runs: A > 1,
  /// or both kinds. A model without routers routes hard, whatever the share. Fails, with parameters and moments as they
  /// were, when a sequence cannot be read (CHIMERA_ERROR_SYSTEM, on every rank), no target counts, a token or target is
  /// outside the vocabulary, or the loss or a gradient is not finite: then the message names the step and the first
  /// launch that made it. Fails with CHIMERA_ERROR_DEVICE when a device does, whose state is then lost. All ranks fail
  /// alike, unless one is lost.
  Result<StepReport> step(const StepInput &input);
  /// The gradients of a step alone, left in the state.
  Result<StepReport> gradients(const StepInput &input);
  /// Forward only, without noise.
  Result<KindReport> evaluate(const EvaluationInput &input);

  /// How many leaves a micro-step of `batch` sequences has.
  static int64_t leavesOf(int64_t batch);

private:
  using Error = runtime::Error;

  /// A run: the sequences first .. end-1 of a micro-step, over all ranks, that a program takes.
  struct Share {
    TrainingProgram program;
    int64_t first, end;
    const char *kind; ///< "hard" or "soft".
  };

  Trainer(Programs &programs, Communicator &ranks, const TrainerOptions &options)
      : programs(programs), ranks(ranks), options(options) {}
  Failure check() const;
  Failure checkInput(const StepInput &input) const;
  std::vector<Share> sharesOf(const StepInput &input) const;

  // Of one rank: StepRuns.cpp.
  int64_t ownCount() const { return options.batch / ranks.size(); }
  int64_t firstOwn() const { return ownCount() * ranks.rank(); }
  Failure readSequences(const SequenceReader &read, int64_t firstIndex, int64_t groups);
  Failure checkSequence(int64_t index, const int32_t *tokens, const int32_t *targets) const;
  void makeBatch(int64_t group, const Share &share);
  void addNoise(uint32_t step);

  // Over all ranks: StepRuns.cpp.
  Result<int64_t> agreeOnTargets(Failure failure);
  Failure agreeOnDevice();
  Failure run(const Share &share, KindReport &report);
  Failure sumGradients(TrainingProgram program);
  Failure sum(uint8_t *values, int64_t count);
  Result<std::string> findCulprit(const Share &share);
  Error notFinite(const StepInput &input, const Share &share, const char *what);

  Failure makeGradient(const StepInput &input, const Share &share, bool several, KindReport &report);
  Failure makeGradients(const StepInput &input, StepReport &report, Hyper &hyper);
  void moveBalancer(const StepReport &report, double factor);
  KindReport emptyReport() const;

  Programs &programs;
  Communicator &ranks;
  TrainerOptions options;
  std::vector<int32_t> tokens, targets; ///< Of this rank, [group][own sequence][T].
  RunBatch batch;
  std::vector<int64_t> numbers; ///< Of the batch's sequences, in their step.
  RunResults results;
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_STEP_H
