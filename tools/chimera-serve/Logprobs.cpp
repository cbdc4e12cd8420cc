// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Logprobs.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace chimera::serve {

template <typename T> TokenLogprob logprobOf(const T *logits, int64_t vocab, int32_t token, int64_t top) {
  double largest = double(*std::max_element(logits, logits + vocab)), sum = 0;
  for (int64_t id = 0; id < vocab; ++id)
    sum += std::exp(double(logits[id]) - largest);
  double norm = std::log(sum);
  auto logprob = [&](int32_t id) { return double(logits[id]) - largest - norm; };
  TokenLogprob made;
  made.logprob = logprob(token);
  if (top <= 0)
    return made;
  std::vector<int32_t> ids(size_t(std::min(top, vocab)));
  auto likelier = [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; };
  // A heap of the best so far, the worst of them in front: one pass over the row.
  std::iota(ids.begin(), ids.end(), 0);
  std::make_heap(ids.begin(), ids.end(), likelier);
  for (auto id = int32_t(ids.size()); id < vocab; ++id) {
    if (!likelier(id, ids.front()))
      continue;
    std::pop_heap(ids.begin(), ids.end(), likelier);
    ids.back() = id;
    std::push_heap(ids.begin(), ids.end(), likelier);
  }
  std::sort_heap(ids.begin(), ids.end(), likelier);
  for (int32_t id : ids)
    made.top.emplace_back(id, logprob(id));
  return made;
}

template TokenLogprob logprobOf(const float *, int64_t, int32_t, int64_t);
template TokenLogprob logprobOf(const double *, int64_t, int32_t, int64_t);

} // namespace chimera::serve
