// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_PYTHON_SRC_MODEL_H
#define CHIMERA_PYTHON_SRC_MODEL_H

#include "runtime/abi/chimera.h"

#include <memory>
#include <string>

namespace chimera::python {

/// A loaded model binary. Threads may share it.
class Model {
public:
  /// Loads a file. Throws Failure.
  explicit Model(const std::string &path);
  /// Loads a binary in memory, which messages call `name`. Throws Failure.
  Model(const std::string &bytes, const std::string &name);

  const std::shared_ptr<chimera_model> &handle() const { return model; }
  const chimera_model_info &info() const { return about; }

private:
  void readInfo();

  std::shared_ptr<chimera_model> model;
  chimera_model_info about = {};
};

/// The parameters of a model. Threads may share them.
class Weights {
public:
  /// Loads a checkpoint for `model`. Throws Failure.
  Weights(const Model &model, const std::string &path);

  chimera_weights *handle() const { return weights.get(); }

private:
  std::shared_ptr<chimera_weights> weights;
};

} // namespace chimera::python

#endif // CHIMERA_PYTHON_SRC_MODEL_H
