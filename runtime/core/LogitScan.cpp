// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/LogitScan.h"

#include "runtime/core/Vectors.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace chimera {

namespace {
/// A vector of 64 bytes, which the compiler splits where registers are shorter; and the numbers of comparisons of two.
template <typename T> struct Wide;
template <> struct Wide<float> {
  typedef float Values __attribute__((vector_size(64)));
  typedef int32_t Masks __attribute__((vector_size(64)));
};
template <> struct Wide<double> {
  typedef double Values __attribute__((vector_size(64)));
  typedef int64_t Masks __attribute__((vector_size(64)));
};
} // namespace

/// The largest of `count` numbers, count >= 1, with `hasNaN` set if one of them is none.
template <typename T> CHIMERA_VECTOR_INLINE static inline T largestOf(const T *numbers, int64_t count, bool &hasNaN) {
  using Values = typename Wide<T>::Values;
  constexpr int64_t lanes = int64_t(sizeof(Values) / sizeof(T));
  T largest = numbers[0];
  int64_t i = 0;
  if (count >= lanes) {
    Values most, next;
    std::memcpy(&most, numbers, sizeof most);
    typename Wide<T>::Masks odd = most != most;
    for (i = lanes; i + lanes <= count; i += lanes) {
      std::memcpy(&next, numbers + i, sizeof next);
      odd |= next != next;
      most = next > most ? next : most;
    }
    for (int64_t lane = 0; lane < lanes; ++lane) {
      hasNaN |= odd[lane] != 0;
      largest = most[lane] > largest ? most[lane] : largest;
    }
  }
  for (; i < count; ++i) {
    hasNaN |= numbers[i] != numbers[i];
    largest = numbers[i] > largest ? numbers[i] : largest;
  }
  return largest;
}

template <typename T> int64_t LogitScan<T>::blockEnd(int64_t block) const {
  return std::min(vocab, (block + 1) * blockTokens);
}

template <typename T> void LogitScan<T>::scan(const T *row, int64_t count) {
  logits = row;
  vocab = count;
  maxima.resize(size_t((vocab + blockTokens - 1) / blockTokens));
  bool found = false;
  T *to = maxima.data();
  onWidestVectors([&]() CHIMERA_VECTOR_INLINE {
    for (int64_t begin = 0; begin < count; begin += blockTokens)
      *to++ = largestOf(row + begin, count - begin < blockTokens ? count - begin : blockTokens, found);
  });
  hasNaN = found;
}

template <typename T> std::optional<int64_t> LogitScan<T>::firstNaN() const {
  if (!hasNaN)
    return std::nullopt;
  return std::find_if(logits, logits + vocab, [](T logit) { return logit != logit; }) - logits;
}

template <typename T> int32_t LogitScan<T>::largest() const {
  auto block = std::max_element(maxima.begin(), maxima.end()); // The first of equals, as below.
  const T *begin = logits + (block - maxima.begin()) * blockTokens;
  return int32_t(std::find(begin, logits + vocab, *block) - logits);
}

template <typename T> void LogitScan<T>::likeliest(int64_t count, std::vector<int32_t> &tokens) {
  tokens.clear();
  if (count > int64_t(maxima.size()) / 2) {
    tokens.resize(size_t(vocab));
    std::iota(tokens.begin(), tokens.end(), 0);
  } else {
    // So many blocks have a logit of at least this one, so no other can be among the first.
    order = maxima;
    std::nth_element(order.begin(), order.begin() + (count - 1), order.end(), std::greater<T>());
    T least = order[size_t(count - 1)];
    for (size_t block = 0; block < maxima.size(); ++block)
      if (maxima[block] >= least)
        for (int64_t id = int64_t(block) * blockTokens; id < blockEnd(int64_t(block)); ++id)
          if (logits[id] >= least)
            tokens.push_back(int32_t(id));
  }
  Likelier<T> likelier{logits};
  std::nth_element(tokens.begin(), tokens.begin() + (count - 1), tokens.end(), likelier);
  tokens.resize(size_t(count));
  std::sort(tokens.begin(), tokens.end(), likelier);
}

template class LogitScan<float>;
template class LogitScan<double>;

} // namespace chimera
