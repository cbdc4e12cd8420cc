// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The work of one run of a training program, on the host.
#ifndef CHIMERA_RUNTIME_TRAIN_RUNBATCH_H
#define CHIMERA_RUNTIME_TRAIN_RUNBATCH_H

#include "runtime/core/StepBatch.h"

#include <array>
#include <cstdint>
#include <vector>

namespace chimera::train {

/// The numbers that change from step to step, in the order of docs/model-binary.md.
struct Hyper {
  double temperature = 1;
  double lossScale = 0; ///< 1 / (targets of the whole step that count)
  double learningRate = 0;
  double routerLearningRate = 0;
  double beta1 = 0, beta2 = 0;
  double epsilon = 0;
  double weightDecay = 0;
  double correction1 = 1, correction2 = 1; ///< 1 - beta^t
  double clipNorm = 0;                     ///< Infinity: no clipping.

  /// As the step buffer has them.
  std::array<double, abi::hyperLength> values() const {
    return {temperature, lossScale,   learningRate, routerLearningRate, beta1,   beta2,
            epsilon,     weightDecay, correction1,  correction2,        clipNorm};
  }
};

using abi::maxLeaves;

/// Whole sequences with their targets, cut into leaves, and what the kernels are told besides.
struct RunBatch {
  runtime::StepBatch step;
  std::vector<int32_t> targets; ///< [N]
  std::vector<double> noise;    ///< [N][layers][4], or empty: zeros.
  Hyper hyper;
  std::vector<double> prices; ///< [layers][13], or empty: zeros.
  std::array<int32_t, abi::leavesLength> leaves = {};

  /// Forgets all sequences.
  void clear();
  /// Begins the next leaf: the sequences added from now on are its. At most maxLeaves.
  void beginLeaf();
  /// Adds a sequence of `length` tokens and targets (-100: not counted) to the leaf.
  void add(const int32_t *tokens, const int32_t *wanted, int64_t length, int64_t layers);
  /// Says in `leaves` where the last one ends.
  void finish();

  int64_t seqs() const { return step.seqs(); }
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_RUNBATCH_H
