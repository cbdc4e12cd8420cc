// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Logarithms of probabilities, as a model gives them: before temperature, top-k and top-p.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_LOGPROBS_H
#define CHIMERA_TOOLS_CHIMERASERVE_LOGPROBS_H

#include <cstdint>
#include <utility>
#include <vector>

namespace chimera::serve {

/// The logarithm of a token's probability, and those of the likeliest tokens in its place.
struct TokenLogprob {
  double logprob = 0;
  std::vector<std::pair<int32_t, double>> top; ///< The likeliest first, of equals the lower id.
};

/// log softmax(logits)[token] and the `top` largest, in double precision and in the order of the ids, so that the
/// result depends on the row alone. logits[vocab] without NaN, vocab >= 1, at least one of them finite.
template <typename T> TokenLogprob logprobOf(const T *logits, int64_t vocab, int32_t token, int64_t top);

extern template TokenLogprob logprobOf(const float *, int64_t, int32_t, int64_t);
extern template TokenLogprob logprobOf(const double *, int64_t, int32_t, int64_t);

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_LOGPROBS_H
