// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The weights that a model has before any training.
#ifndef CHIMERA_RUNTIME_TRAIN_INITIALISE_H
#define CHIMERA_RUNTIME_TRAIN_INITIALISE_H

#include "dialect/frontend/Config.h"
#include "runtime/train/InitialNoise.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace chimera {

/// Initial weights under the name that the checkpoint has.
struct InitialTensor {
  std::string name;
  std::vector<int64_t> shape; ///< row-major
  std::vector<float> values;  ///< the product of the shape

  /// The product of the shape.
  uint64_t elements() const;
};

/// The initial values of one parameter of `config`: a tensor of the checkpoint, or those of its rows that it is. They
/// depend on the seed, the parameter's name and the shape alone, so that a model that grows by a layer keeps the
/// others.
///
/// - matrices, embedding: normal(0, 0.02); those that write into the residual stream (o_proj, ssm.out_proj, down_proj)
///   divided by sqrt(2 L), as in GPT-2
/// - norm weights, ssm.D: 1
/// - biases of norms and of token_conv, router.bias: 0
/// - convolution weights, ssm.conv.bias: uniform(-1/sqrt(K), 1/sqrt(K)) for K taps
/// - ssm.A_log: ln uniform(1, 16), as in Mamba-2
/// - ssm.dt_bias: the inverse softplus of exp(uniform(ln 0.001, ln 0.1)), as in Mamba-2
/// - ssm.decay (lti): the logit of 1 - exp(uniform(ln 0.001, ln 0.1)): memories of 10 to 1000 tokens
class InitialValues {
public:
  InitialValues(const Config &config, const ParameterSpec &parameter, uint64_t seed);

  /// Those of the row-major elements first .. first + count - 1. Any number of threads may.
  void fill(uint64_t first, size_t count, float *to) const;

private:
  InitialNoise noise;
  double deviation = 0; ///< Of normal numbers; 0: `rule` makes each.
  std::function<double(const InitialNoise &, uint64_t)> rule;
};

/// A parameter's place in a checkpoint: `count` elements of a tensor from row-major element `begin` on.
struct InitialPart {
  size_t tensor = 0;
  uint64_t begin = 0, count = 0;
  InitialValues values;
};

/// A checkpoint of initial weights before any is made. What belongs to no part is 0.
struct InitialCheckpoint {
  std::vector<InitialTensor> tensors; ///< Without values.
  std::vector<InitialPart> parts;
};
InitialCheckpoint initialCheckpoint(const Config &config, uint64_t seed);

/// All values of one parameter.
InitialTensor initialTensor(const Config &config, const ParameterSpec &parameter, uint64_t seed);

/// Those of all parameters, as the whole tensors that a checkpoint has.
std::vector<InitialTensor> initialTensors(const Config &config, uint64_t seed);

} // namespace chimera

#endif // CHIMERA_RUNTIME_TRAIN_INITIALISE_H
