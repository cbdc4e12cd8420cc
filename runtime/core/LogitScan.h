// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The largest of a row of logits, at the speed at which they can be read.
#ifndef CHIMERA_RUNTIME_CORE_LOGITSCAN_H
#define CHIMERA_RUNTIME_CORE_LOGITSCAN_H

#include <cstdint>
#include <optional>
#include <vector>

namespace chimera {

/// Whether token `a` is chosen before `b`: for its larger logit, of equals for its lower id. A total order of tokens
/// whose logits are no NaNs.
template <typename T> struct Likelier {
  const T *logits;
  bool operator()(int32_t a, int32_t b) const { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; }
};

/// What one pass over logits[vocab] (f32 or f64), vocab >= 1, finds. Keeps its memory between rows.
template <typename T> class LogitScan {
public:
  /// Looks at a row, which must stay until the next one.
  void scan(const T *logits, int64_t vocab);

  /// The first token whose logit is a NaN. If there is one, the others below mean nothing.
  std::optional<int64_t> firstNaN() const;
  /// The token with the largest logit, the lowest id of equals.
  int32_t largest() const;
  /// The `count` tokens that come first in the order of Likelier, in this order; count is in 1 .. vocab.
  void likeliest(int64_t count, std::vector<int32_t> &tokens);

private:
  static constexpr int64_t blockTokens = 256;

  int64_t blockEnd(int64_t block) const;

  const T *logits = nullptr;
  int64_t vocab = 0;
  bool hasNaN = false;
  std::vector<T> maxima; ///< Of each block of tokens.
  std::vector<T> order;  ///< Scratch: the same, in another order.
};

} // namespace chimera

#endif // CHIMERA_RUNTIME_CORE_LOGITSCAN_H
