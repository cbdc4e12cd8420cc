// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a model's own config says of how it is to be run.
#ifndef CHIMERA_TOOLS_GENERATION_MODELDEFAULTS_H
#define CHIMERA_TOOLS_GENERATION_MODELDEFAULTS_H

#include "runtime/abi/chimera.h"
#include "runtime/core/Sampler.h"

#include <string>

namespace chimera::run {

/// Which options of sampling somebody gave.
struct GivenSampling {
  bool temperature = false, topK = false, topP = false;
};

/// Each option of sampling that was not given becomes the model's, where the model says something.
void takeSampling(const chimera_model *model, const GivenSampling &given, SamplerOptions &sampler);

/// A warning when a sequence of `position` tokens is longer than the model was made for; empty when it is not.
std::string tooLong(const chimera_model *model, int64_t position);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_GENERATION_MODELDEFAULTS_H
