// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Draws from softmax(logits / temperature) that need neither exact weights nor all tokens in order.
#ifndef CHIMERA_RUNTIME_CORE_CERTAINDRAW_H
#define CHIMERA_RUNTIME_CORE_CERTAINDRAW_H

#include <cstdint>
#include <optional>
#include <vector>

namespace chimera {

/// Finds the token at which the sum of the weights exp((logit - largest) / temperature), in an order of the tokens,
/// first exceeds `uniform` times their total. Weights and sums are computed here to a bounded error only. A token is
/// given if it is the one for any values within this bound, and so also for sums that add libm's weights one by one; it
/// is nothing where that is not certain, which happens in a few draws of 100000.
///
/// Logits are logits[vocab] (f32 or f64) without NaN or +infinity, `largest` the largest of them, finite; temperature >
/// 0; uniform in [0, 1). Keeps its memory between draws.
class CertainDraw {
public:
  /// In the order of the ids.
  template <typename T>
  std::optional<int32_t> byId(const T *logits, int64_t vocab, double largest, double temperature, double uniform);

  /// In the order of Likelier (LogitScan.h), among the fewest first ones whose weights sum to at least `topP` in (0, 1)
  /// of the total.
  template <typename T>
  std::optional<int32_t> byLikelihood(const T *logits, int64_t vocab, double largest, double temperature, double topP,
                                      double uniform);

private:
  /// A token, or a bin of tokens, in an order: the sum of the weights before it, and with it.
  struct Place {
    size_t index = 0;
    double before = 0, after = 0;
  };

  template <typename T> void fillBins(const T *logits, int64_t vocab, double largest, double temperature);
  template <typename T> void membersOf(size_t bin, const T *logits, int64_t vocab);
  static std::optional<Place> find(const double *weights, size_t count, double before, double goal, double doubt);

  std::vector<double> sums;     ///< By block of tokens, or by bin.
  std::vector<uint16_t> binOf;  ///< By token.
  std::vector<int32_t> members; ///< Of a bin, the likeliest first.
  std::vector<double> weights;  ///< Theirs.
};

} // namespace chimera

#endif // CHIMERA_RUNTIME_CORE_CERTAINDRAW_H
