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
template <typename T> class LayerParametersOf {
public:
  LayerParametersOf(const TensorMapOf<T> &all, size_t layer, OperandRounding rounding = OperandRounding::None)
      : index(layer), all(all), prefix("layers." + std::to_string(layer) + "."), rounding(rounding) {}

  const size_t index; ///< the layer's number

  const TensorOf<T> &tensor(const std::string &name) const { return all.at(prefix + name); }
  const std::vector<T> &vector(const std::string &name) const { return tensor(name).values; }
  bool has(const std::string &name) const { return all.count(prefix + name) != 0; }

  /// The linear layer NAME applied to `x`, whose elements are rounded as operands are; with its bias if it has one.
  std::vector<T> project(const std::string &name, const std::vector<T> &x) const {
    std::vector<T> y = linear(tensor(name + ".weight"), rounded(x, rounding));
    return has(name + ".bias") ? add(y, vector(name + ".bias")) : y;
  }
  /// `x` rounded as operands are.
  std::vector<T> operand(const std::vector<T> &x) const { return rounded(x, rounding); }

private:
  const TensorMapOf<T> &all;
  std::string prefix;
  OperandRounding rounding;
};
using LayerParameters = LayerParametersOf<double>;

/// What the state-space mixer of one layer and sequence remembers.
template <typename T> struct SsmStateOf {
  /// Every input of the convolution so far (Mamba-2).
  std::vector<std::vector<T>> convolutionInputs;
  /// [heads][head size][state size] (Mamba-2) or [state size] (LTI); empty before the first token.
  std::vector<T> state;
};
using SsmState = SsmStateOf<double>;

/// One key/value entry of a ring or list; `logWeight` is added to its score.
template <typename T> struct EntryOf {
  std::vector<T> key;
  std::vector<T> value;
  T logWeight;
};
using Entry = EntryOf<double>;

/// Every input so far of the convolutions of queries, keys and values, in a model that has such.
template <typename T> struct AttentionInputsOf {
  std::vector<std::vector<T>> q, k, v;
};

// The mixers exist for double and for Var.

/// Mamba-2: advances `ssm` by a token with input `h` whose write weight is `weight`; returns the mixer's output [D].
template <typename T>
std::vector<T> advanceMamba2(const Config &config, const LayerParametersOf<T> &parameters, const std::vector<T> &h,
                             const T &weight, SsmStateOf<T> &ssm);

/// The linear time-invariant recurrence, likewise.
template <typename T>
std::vector<T> advanceLti(const Config &config, const LayerParametersOf<T> &parameters, const std::vector<T> &h,
                          const T &weight, SsmStateOf<T> &ssm);

/// The key/value entry that a token at `position` writes for `mode` (swa or full).
template <typename T>
EntryOf<T> makeEntry(const Config &config, const LayerParametersOf<T> &parameters, const std::vector<T> &h,
                     int64_t position, const T &logWeight, int8_t mode = kFull, AttentionInputsOf<T> *inputs = nullptr);

/// Attention of a token at `position` to the last `reach` of `entries` (its own is the last); returns the output [D].
template <typename T>
std::vector<T> attend(const Config &config, const LayerParametersOf<T> &parameters, const std::vector<T> &h,
                      int64_t position, const std::vector<EntryOf<T>> &entries,
                      size_t reach = std::numeric_limits<size_t>::max(), int8_t mode = kFull,
                      AttentionInputsOf<T> *inputs = nullptr);

/// The inverse frequencies of the rotary embedding of `mode` after scaling, one for each rotated pair.
Vector rotaryFrequencies(const Config &config, int8_t mode = kFull);

} // namespace chimera::test::oracle

#endif
