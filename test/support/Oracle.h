// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a model computes, stated a second time and independently of the compiler: one sequence, token by token, in plain
// double precision, with no concern for speed. End-to-end tests hold compiled models against it.
#ifndef CHIMERA_TEST_SUPPORT_ORACLE_H
#define CHIMERA_TEST_SUPPORT_ORACLE_H

#include "dialect/frontend/Config.h"
#include "test/support/Tensor.h"

#include <cstdint>
#include <vector>

namespace chimera::test {

/// Modes by their canonical index, as in routing arrays.
enum ModeIndex : int8_t { kSsm = 0, kSwa = 1, kFull = 2, kIdentity = 3, kNotForced = -1 };
constexpr int kModeCount = 4;

/// A mode for each token and layer, [T][L]; -1 in a forced routing leaves the choice to the router.
using RoutingTable = std::vector<std::vector<int8_t>>;

/// Which values are rounded on the way. `BFloat16` follows what a bf16 model means: what enters a linear layer, and q,
/// k and v as attention reads them, are rounded to bf16; the router, norms, states and sums are not.
enum class OperandRounding { None, BFloat16 };

struct OracleResult {
  /// [T][V]
  std::vector<std::vector<double>> logits;
  /// [T][L]: the admitted mode, by canonical index.
  RoutingTable routing;
  /// The least distance between the best and the second best router score, or of the last chosen expert from the
  /// next, over all tokens and layers: how close any decision was. Infinity without routers.
  double smallestMargin;
  /// [T]: how much the last of the experts that a token took was better than the next, in the layer where that was
  /// closest. Infinity where there is no such choice.
  std::vector<double> expertMargins;
  /// How many tokens, over all layers, were refused by the mode they wanted.
  int64_t refusals;
};

/// How many of the first tokens all chose their experts by more than `margin`: those that an evaluation which rounds
/// differently sends to the same experts.
size_t clearTokens(const OracleResult &result, double margin);

/// Runs one sequence. `parameters` holds every tensor by the name it has in a model directory; an absent router bias is
/// zero. With `forced`, its modes override admission; counts follow what is forced.
OracleResult runOracle(const Config &config, const TensorMap &parameters, const std::vector<int> &tokens,
                       const RoutingTable *forced = nullptr, OperandRounding rounding = OperandRounding::None);

} // namespace chimera::test

#endif
