// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Small random models over every combination of a config's options, with weights for them.
#ifndef CHIMERA_TEST_SUPPORT_RANDOMMODEL_H
#define CHIMERA_TEST_SUPPORT_RANDOMMODEL_H

#include "dialect/frontend/Config.h"
#include "test/support/Tensor.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace chimera::test {

/// The precision that weights are rounded to, so that a binary of that dtype computes with the very same numbers.
enum class Precision { F64, F32, BF16 };

/// "f64", "f32" or "bf16": the compiler's --dtype.
const char *precisionName(Precision precision);

/// Config texts in which any two settings of any two options (router kind, gate, write gate, norms, token_conv,
/// cache_write, capacity, heads, groups, state-space kind, modes a layer, rotary scaling, window, sizes, ...) occur
/// together in some text. The same seed gives the same texts.
std::vector<std::string> pairwiseConfigs(uint64_t seed);

/// A config text with every option drawn by itself.
std::string randomConfig(uint64_t seed);

/// A model as a test uses it.
struct RandomModel {
  std::string configText;
  Config config;
  TensorMap parameters;
  Precision precision;
};

/// Random weights for a config, rounded to `precision`. Linear weights keep the variance of what passes through them;
/// router weights and biases are large enough that tokens spread over the modes. Throws std::runtime_error with the
/// frontend's message if the config is not accepted.
RandomModel makeModel(const std::string &configText, Precision precision, uint64_t seed);

/// Every tensor of a model with its shape, by the table of names that model directories follow.
std::vector<std::pair<std::string, std::vector<int64_t>>> tensorShapes(const Config &config);

/// The ids of the tokens that `poisonEmbedding` makes harmful: the last three of the vocabulary.
std::vector<int> poisonTokens(const Config &config);

/// Makes the embedding row of one poison token NaN, of one infinite, and of one so large that its square overflows.
void poisonEmbedding(RandomModel &model);

/// Writes config.json and model.safetensors, in a dtype that holds the weights exactly. Throws std::runtime_error.
void writeModel(const RandomModel &model, const std::string &directory);

} // namespace chimera::test

#endif
