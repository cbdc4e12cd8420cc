// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A compiled model with its training programs, as the end-to-end tests use it; errors are exceptions.
#ifndef CHIMERA_TEST_E2E_TRAININGENGINE_H
#define CHIMERA_TEST_E2E_TRAININGENGINE_H

#include "runtime/train/Step.h"
#include "test/support/GradientOracle.h"
#include "test/support/RandomModel.h"

#include <memory>
#include <optional>
#include <string>

namespace chimera::test {

/// What a run takes beside its batch.
struct TrainingRun {
  TrainingRouting routing = TrainingRouting::Hard;
  TrainingExtras extras;
};

class TrainingEngine {
public:
  /// `batch` sequences of `length` tokens a micro-step. Throws std::runtime_error with the runtime's message.
  TrainingEngine(const std::string &binary, const std::string &weights, int64_t batch, int64_t length,
                 int64_t threads = 2);

  /// The mean loss of a batch and the gradients by every trainable parameter, by its name in the model directory.
  GradientResult gradients(const TrainingBatch &batch, const TrainingRun &run);
  /// The same without gradients, from the programs that evaluate.
  TrainingResult evaluate(const TrainingBatch &batch, const TrainingRun &run);

  /// The derivative of the loss that `evaluate` gives when the parameters of `model` move by step * `direction`: the
  /// central difference of fourth order. Nothing if some token took another mode than in `modes` on the way, where the
  /// loss is not continuous. Leaves the parameters of `model`.
  std::optional<double> derivative(const TrainingBatch &batch, const TrainingRun &run,
                                   const std::vector<RoutingTable> &modes, const RandomModel &model,
                                   const TensorMap &direction, double step);

  /// The noise of the tokens of `gradients`, [B T][layers][4]: a run with it in its extras routes softly with noise.
  std::vector<double> noise(int64_t layers) const;

  train::Trainer &trainer() { return *steps; }
  train::State &state() { return *values; }

private:
  /// Sets the parameters.
  void load(const RandomModel &model);

  std::shared_ptr<const runtime::Model> model;
  std::unique_ptr<runtime::Device> device;
  std::unique_ptr<train::State> values;
  std::unique_ptr<train::Programs> programs;
  train::SingleRank rank;
  train::TrainerOptions options;
  std::unique_ptr<train::Trainer> steps;
};

} // namespace chimera::test

#endif
