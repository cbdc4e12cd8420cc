// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model small enough to work out by hand. Its config is filled in directly, without the frontend.
#ifndef CHIMERA_TEST_SUPPORT_TINYMODEL_H
#define CHIMERA_TEST_SUPPORT_TINYMODEL_H

#include "test/support/Oracle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace chimera::test {

/// Vocabulary and width 2, embedding and head the identity, norm weights one, an epsilon that does not matter.
struct TinyModel {
  Config config;
  TensorMap tensors;

  explicit TinyModel(std::vector<std::vector<Mode>> layerModes) {
    config.vocabSize = config.hiddenSize = 2;
    config.numLayers = static_cast<int64_t>(layerModes.size());
    config.layerModes = std::move(layerModes);
    config.normEps = 1e-300;
    config.numAttentionHeads = config.numKeyValueHeads = 1;
    config.headDim = 2;
    config.ssm.timeStepMax = std::numeric_limits<double>::infinity();
    set("embed_tokens.weight", {2, 2}, {1, 0, 0, 1});
    set("lm_head.weight", {2, 2}, {1, 0, 0, 1});
    set("norm.weight", {2}, {1, 1});
    for (int64_t layer = 0; layer < config.numLayers; ++layer)
      set("layers." + std::to_string(layer) + ".input_norm.weight", {2}, {1, 1});
  }

  void set(const std::string &name, std::vector<int64_t> shape, std::vector<double> values) {
    ASSERT_EQ(elementCount(shape), static_cast<int64_t>(values.size())) << name;
    tensors[name] = {std::move(shape), std::move(values)};
  }

  /// Query, key, value and output projections of layer 0, each `scale` times the identity.
  void setIdentityAttention(double queries = 1, double keys = 1) {
    set("layers.0.attn.q_proj.weight", {2, 2}, {queries, 0, 0, queries});
    set("layers.0.attn.k_proj.weight", {2, 2}, {keys, 0, 0, keys});
    set("layers.0.attn.v_proj.weight", {2, 2}, {1, 0, 0, 1});
    set("layers.0.attn.o_proj.weight", {2, 2}, {1, 0, 0, 1});
  }

  void setConstantRouter(std::vector<double> bias) {
    auto modes = static_cast<int64_t>(bias.size());
    set("layers.0.router.proj.weight", {modes, 2}, std::vector<double>(2 * bias.size(), 0.0));
    set("layers.0.router.bias", {modes}, std::move(bias));
  }

  OracleResult run(const std::vector<int> &tokens, const RoutingTable *forced = nullptr) {
    return runOracle(config, tensors, tokens, forced);
  }
};

/// What the final root-mean-square norm makes of a residual stream of width 2.
inline std::vector<double> normalized(double a, double b) {
  double scale = std::sqrt(2.0 / (a * a + b * b));
  return {a * scale, b * scale};
}

} // namespace chimera::test

#endif
