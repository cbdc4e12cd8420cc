// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A checkpoint as another program writes it, and the same numbers under this project's names.
#ifndef CHIMERA_TEST_E2E_FOREIGNMODEL_H
#define CHIMERA_TEST_E2E_FOREIGNMODEL_H

#include "test/support/Random.h"
#include "test/support/Tensor.h"

#include <string>
#include <utility>
#include <vector>

namespace chimera::test {

/// What a tensor's random values are like.
enum class Values {
  Matrix,   ///< [out, in], keeping the variance of what passes through
  Table,    ///< an embedding: standard normal
  Taps,     ///< a convolution of few taps
  Scale,    ///< about 1
  Shift,    ///< about 0, a few tenths
  Router,   ///< large enough that tokens differ in the mode they want
  LogDecay, ///< Mamba-2's A_log: ln of 1 to 16
  StepBias, ///< Mamba-2's dt_bias: -4 to 0
};

struct ForeignModel {
  explicit ForeignModel(std::string configText) : configText(std::move(configText)) {}

  /// Adds a tensor of `shape` under the name `theirs` on disk, and as `ours` to the oracle's parameters, there with
  /// `oursShape` (the same elements in the same order) where that differs.
  void add(const std::string &theirs, const std::vector<int64_t> &shape, const std::string &ours, Values values,
           const std::vector<int64_t> &oursShape = {});

  /// A tensor that stands in the file and that no model reads.
  void addUnused(const std::string &theirs, const std::vector<int64_t> &shape);

  /// Makes row i of `ours` what was its row order[i].
  void permuteRows(const std::string &name, const std::vector<size_t> &order);

  /// Makes `name`'s rows, in order, tensors of so many rows each, in the place of `name`.
  void splitRows(const std::string &name, const std::vector<std::pair<std::string, int64_t>> &parts);

  /// Writes config.json and model.safetensors, in f64. Throws std::runtime_error.
  void write(const std::string &directory) const;

  std::string configText;
  TensorMap disk; ///< by the names on disk
  TensorMap ours; ///< by this project's names

private:
  Random random{17};
};

} // namespace chimera::test

#endif
