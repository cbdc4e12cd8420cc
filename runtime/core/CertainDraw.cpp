// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/CertainDraw.h"

#include "runtime/core/LogitScan.h"
#include "runtime/core/Vectors.h"

#include <algorithm>

namespace chimera {

/// Tokens whose weights are computed at a time.
static constexpr int64_t blockTokens = 256;
/// A bin has the tokens whose logits are this part of the temperature apart; the last one has all the rest.
static constexpr double binsPerUnit = 64;
static constexpr size_t bins = 2048;

/// How far a sum of `vocab` weights, as computed here, and the same added one by one from libm's are apart, in
/// relation: the rounding of that many additions in both, and the errors of the weights. Twice that is the doubt of a
/// comparison of two.
static double relativeDoubt(int64_t vocab) {
  return double(vocab + 4096) * 0x1p-51;
}

template <typename T> CHIMERA_VECTOR_INLINE static inline double weightOf(T logit, double largest, double temperature) {
  return vectors::expNegative((double(logit) - largest) / temperature);
}

/// The weights of `count` tokens, at most blockTokens.
template <typename T>
CHIMERA_VECTOR_INLINE static inline void weigh(const T *logits, int64_t count, double largest, double temperature,
                                               double *weights) {
  for (int64_t i = 0; i < count; ++i)
    weights[i] = weightOf(logits[i], largest, temperature);
}

CHIMERA_VECTOR_INLINE static inline double sumOf(const double *weights, int64_t count) {
  typedef double Values __attribute__((vector_size(64)));
  constexpr int64_t lanes = 8;
  Values total = {}, next;
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    std::memcpy(&next, weights + i, sizeof next);
    total += next;
  }
  double sum = 0;
  for (int64_t lane = 0; lane < lanes; ++lane)
    sum += total[lane];
  for (; i < count; ++i)
    sum += weights[i];
  return sum;
}

/// The first place at which the sum exceeds `goal`, if every comparison that says so is beyond doubt.
std::optional<CertainDraw::Place> CertainDraw::find(const double *weights, size_t count, double before, double goal,
                                                    double doubt) {
  for (size_t i = 0; i < count; ++i) {
    double after = before + weights[i];
    if (after > goal + doubt)
      return Place{i, before, after};
    if (after > goal - doubt)
      return std::nullopt;
    before = after;
  }
  return std::nullopt;
}

template <typename T>
std::optional<int32_t> CertainDraw::byId(const T *logits, int64_t vocab, double largest, double temperature,
                                         double uniform) {
  sums.resize(size_t((vocab + blockTokens - 1) / blockTokens));
  double total = 0;
  auto countOf = [vocab](int64_t begin) { return std::min(blockTokens, vocab - begin); };
  onWidestVectors([&]() CHIMERA_VECTOR_INLINE {
    double block[blockTokens], *to = sums.data();
    int64_t begin = 0;
    for (; begin + blockTokens <= vocab; begin += blockTokens) {
      weigh(logits + begin, blockTokens, largest, temperature, block);
      *to++ = sumOf(block, blockTokens);
    }
    if (begin < vocab) {
      weigh(logits + begin, vocab - begin, largest, temperature, block);
      *to++ = sumOf(block, vocab - begin);
    }
  });
  for (double sum : sums)
    total += sum;
  double doubt = 2 * relativeDoubt(vocab) * total, goal = uniform * total;
  std::optional<Place> block = find(sums.data(), sums.size(), 0, goal, doubt);
  if (!block)
    return std::nullopt;
  int64_t begin = int64_t(block->index) * blockTokens, count = countOf(begin);
  weights.resize(size_t(blockTokens));
  onWidestVectors([&]() CHIMERA_VECTOR_INLINE { weigh(logits + begin, count, largest, temperature, weights.data()); });
  std::optional<Place> place = find(weights.data(), size_t(count), block->before, goal, doubt);
  if (!place)
    return std::nullopt;
  return int32_t(begin + int64_t(place->index));
}

/// Puts each token into the bin of its logit, and adds up the weights of the bins. Bins follow each other as Likelier
/// orders their tokens: what a bin's number is computed by never grows with the logit.
template <typename T> void CertainDraw::fillBins(const T *logits, int64_t vocab, double largest, double temperature) {
  // In two tables, so that neighbours in the same bin need not wait for each other.
  sums.assign(2 * bins, 0.0);
  binOf.resize(size_t(vocab));
  double block[blockTokens];
  int32_t places[blockTokens];
  for (int64_t begin = 0; begin < vocab; begin += blockTokens) {
    int64_t count = std::min(blockTokens, vocab - begin);
    onWidestVectors([&]() CHIMERA_VECTOR_INLINE {
      for (int64_t i = 0; i < count; ++i) {
        double x = (double(logits[begin + i]) - largest) / temperature;
        double bin = x * -binsPerUnit;
        places[i] = int32_t(bin < double(bins - 1) ? bin : double(bins - 1));
        block[i] = vectors::expNegative(x);
      }
    });
    for (int64_t i = 0; i < count; ++i) {
      sums[size_t(places[i]) + size_t(i & 1) * bins] += block[i];
      binOf[size_t(begin + i)] = uint16_t(places[i]);
    }
  }
  for (size_t bin = 0; bin < bins; ++bin)
    sums[bin] += sums[bins + bin];
}

template <typename T> void CertainDraw::membersOf(size_t bin, const T *logits, int64_t vocab) {
  members.clear();
  for (int64_t begin = 0; begin < vocab; begin += blockTokens) {
    int64_t end = std::min(vocab, begin + blockTokens);
    int32_t found = 0;
    for (int64_t id = begin; id < end; ++id)
      found += binOf[size_t(id)] == bin;
    for (int64_t id = begin; found && id < end; ++id)
      if (binOf[size_t(id)] == bin) {
        members.push_back(int32_t(id));
        --found;
      }
  }
  Likelier<T> likelier{logits};
  if (!std::is_sorted(members.begin(), members.end(), likelier)) // Many tokens of one logit are.
    std::sort(members.begin(), members.end(), likelier);
}

template <typename T>
std::optional<int32_t> CertainDraw::byLikelihood(const T *logits, int64_t vocab, double largest, double temperature,
                                                 double topP, double uniform) {
  fillBins(logits, vocab, largest, temperature);
  double total = sumOf(sums.data(), int64_t(bins));
  double relative = 2 * relativeDoubt(vocab);
  // Where the sum reaches a goal: the bin, and in it the token. That it reaches it exactly is a case of doubt.
  auto locate = [&](double goal, double doubt) -> std::optional<Place> {
    std::optional<Place> bin = find(sums.data(), bins - 1, 0, goal, doubt);
    if (!bin)
      return std::nullopt;
    membersOf(bin->index, logits, vocab);
    weights.resize(members.size());
    for (size_t i = 0; i < members.size(); ++i)
      weights[i] = weightOf(logits[members[i]], largest, temperature);
    return find(weights.data(), weights.size(), bin->before, goal, doubt);
  };
  std::optional<Place> last = locate(topP * total, relative * total);
  if (!last)
    return std::nullopt;
  double kept = last->after;
  std::optional<Place> place = locate(uniform * kept, relative * kept);
  if (!place)
    return std::nullopt;
  return members[place->index];
}

template std::optional<int32_t> CertainDraw::byId(const float *, int64_t, double, double, double);
template std::optional<int32_t> CertainDraw::byId(const double *, int64_t, double, double, double);
template std::optional<int32_t> CertainDraw::byLikelihood(const float *, int64_t, double, double, double, double);
template std::optional<int32_t> CertainDraw::byLikelihood(const double *, int64_t, double, double, double, double);

} // namespace chimera
