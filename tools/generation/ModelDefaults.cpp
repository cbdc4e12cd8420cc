// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/generation/ModelDefaults.h"

namespace chimera::run {

void takeSampling(const chimera_model *model, const GivenSampling &given, SamplerOptions &sampler) {
  chimera_sampling sampling = {};
  sampling.struct_size = sizeof sampling;
  chimera_model_sampling(model, &sampling, nullptr); // Fails only without a model.
  if (!given.temperature)
    sampler.temperature = sampling.temperature;
  if (!given.topK)
    sampler.topK = sampling.top_k;
  if (!given.topP)
    sampler.topP = sampling.top_p;
}

std::string tooLong(const chimera_model *model, int64_t position) {
  int64_t most = chimera_model_max_positions(model);
  if (most < 0 || position <= most)
    return {};
  return "a sequence is longer than the " + std::to_string(most) +
         " tokens that the model was made for (max_position_embeddings); what it makes of the rest may be poor";
}

} // namespace chimera::run
