// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The weights that a model has before any training.
#ifndef CHIMERA_RUNTIME_TRAIN_INITIALISE_H
#define CHIMERA_RUNTIME_TRAIN_INITIALISE_H

#include "dialect/frontend/Config.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chimera {

/// Initial weights under the name that the checkpoint has.
struct InitialTensor {
  std::string name;
  std::vector<int64_t> shape; ///< row-major
  std::vector<float> values;  ///< the product of the shape
};

/// The initial values of one parameter of `config`: a tensor of the checkpoint, or those of its rows that it is. They
/// depend on the seed, the parameter's name and the shape alone, so that a model that grows by a layer keeps the
/// others.
///
/// | parameter | values |
/// |---|---|
/// | matrices, embedding | normal(0, 0.02); those that write into the residual stream (o_proj, ssm.out_proj, down_proj)
/// divided by sqrt(2 L), as in GPT-2 | | norm weights, ssm.D | 1 | | biases of norms and of token_conv, router.bias | 0
/// | | convolution weights, ssm.conv.bias | uniform(-1/sqrt(K), 1/sqrt(K)) for K taps | | ssm.A_log | ln uniform(1,
/// 16), as in Mamba-2 | | ssm.dt_bias | the inverse softplus of exp(uniform(ln 0.001, ln 0.1)), as in Mamba-2 | |
/// ssm.decay (lti) | the logit of 1 - exp(uniform(ln 0.001, ln 0.1)): memories of 10 to 1000 tokens |
InitialTensor initialTensor(const Config &config, const ParameterSpec &parameter, uint64_t seed);

/// Those of all parameters, as the whole tensors that a checkpoint has.
std::vector<InitialTensor> initialTensors(const Config &config, uint64_t seed);

} // namespace chimera

#endif // CHIMERA_RUNTIME_TRAIN_INITIALISE_H
