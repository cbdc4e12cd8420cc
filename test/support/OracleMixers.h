// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The mixers of the oracle, each advanced by one token. A cache is simply everything that was ever written.
#ifndef CHIMERA_TEST_SUPPORT_ORACLEMIXERS_H
#define CHIMERA_TEST_SUPPORT_ORACLEMIXERS_H

#include "dialect/frontend/Config.h"
#include "test/support/Oracle.h"
#include "test/support/OracleMath.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace chimera::test::oracle {

/// The tensors of one layer, by their names behind "layers.I.", and how operands are rounded.
class LayerParameters {
public:
  LayerParameters(const TensorMap &all, size_t layer, OperandRounding rounding = OperandRounding::None)
      : all(all), prefix("layers." + std::to_string(layer) + "."), rounding(rounding) {}

  const Tensor &tensor(const std::string &name) const { return all.at(prefix + name); }
  const Vector &vector(const std::string &name) const { return tensor(name).values; }
  bool has(const std::string &name) const { return all.count(prefix + name) != 0; }

  /// The linear layer of that name applied to `x`, whose elements are rounded as operands are.
  Vector project(const std::string &name, const Vector &x) const { return linear(tensor(name), rounded(x, rounding)); }
  /// `x` rounded as operands are.
  Vector operand(const Vector &x) const { return rounded(x, rounding); }

private:
  const TensorMap &all;
  std::string prefix;
  OperandRounding rounding;
};

/// What the state-space mixer of one layer and sequence remembers.
struct SsmState {
  /// Every input of the convolution so far (Mamba-2).
  std::vector<Vector> convolutionInputs;
  /// [heads][head size][state size] (Mamba-2) or [state size] (LTI); empty before the first token.
  Vector state;
};

/// One key/value entry of a ring or list; `logWeight` is added to its score.
struct Entry {
  Vector key;
  Vector value;
  double logWeight;
};

/// Mamba-2: advances `ssm` by a token with input `h` whose write weight is `weight`; returns the mixer's output [D].
Vector advanceMamba2(const Config &config, const LayerParameters &parameters, const Vector &h, double weight,
                     SsmState &ssm);

/// The linear time-invariant recurrence, likewise.
Vector advanceLti(const Config &config, const LayerParameters &parameters, const Vector &h, double weight,
                  SsmState &ssm);

/// The key/value entry that a token at `position` writes.
Entry makeEntry(const Config &config, const LayerParameters &parameters, const Vector &h, int64_t position,
                double logWeight);

/// Attention of a token at `position` to the last `reach` of `entries` (its own is the last); returns the output [D].
Vector attend(const Config &config, const LayerParameters &parameters, const Vector &h, int64_t position,
              const std::vector<Entry> &entries, size_t reach = std::numeric_limits<size_t>::max());

/// The inverse frequencies of the rotary embedding after scaling, one for each rotated pair.
Vector rotaryFrequencies(const Config &config);

} // namespace chimera::test::oracle

#endif
