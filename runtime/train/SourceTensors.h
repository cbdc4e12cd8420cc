// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tensors of a checkpoint that a model's parameters are, or are rows of.
#ifndef CHIMERA_RUNTIME_TRAIN_SOURCETENSORS_H
#define CHIMERA_RUNTIME_TRAIN_SOURCETENSORS_H

#include "runtime/core/Manifest.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace chimera::train {

/// A tensor of a checkpoint. Its parameters, by number, follow each other in it and cover it.
struct SourceTensor {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<size_t> parameters;
};

/// The tensors that the parameters come from, by the first parameter of each. Fails if one cannot be written from them:
/// two take the same rows of it, none takes some, or they do not agree on its shape.
runtime::Result<std::vector<SourceTensor>> sourceTensors(const std::vector<runtime::Parameter> &parameters);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_SOURCETENSORS_H
