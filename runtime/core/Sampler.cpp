// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace chimera {

using io::Error;
using io::Result;
using io::Status;

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr uint64_t multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57;
  constexpr uint32_t weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = multiplier0 * counter[0], product1 = multiplier1 * counter[2];
    counter = {uint32_t(product1 >> 32) ^ counter[1] ^ key[0], uint32_t(product1),
               uint32_t(product0 >> 32) ^ counter[3] ^ key[1], uint32_t(product0)};
    key[0] += weyl0;
    key[1] += weyl1;
  }
  return counter;
}

double uniformAt(uint64_t seed, uint64_t sequence, uint64_t position) {
  auto words = philox4x32({uint32_t(position), uint32_t(position >> 32), uint32_t(sequence), uint32_t(sequence >> 32)},
                          {uint32_t(seed), uint32_t(seed >> 32)});
  uint64_t bits = (uint64_t(words[0]) << 32 | words[1]) >> 11;
  return double(bits) * 0x1p-53;
}

Status checkSamplerOptions(const SamplerOptions &options) {
  if (!(options.temperature >= 0) || std::isinf(options.temperature))
    return Error{"temperature must be a finite number >= 0"};
  if (options.topK < 0)
    return Error{"top-k must be >= 0"};
  if (!(options.topP > 0 && options.topP <= 1))
    return Error{"top-p must be > 0 and <= 1"};
  return {};
}

Result<int32_t> Sampler::sample(const float *logits, int64_t vocab, uint64_t sequence, uint64_t position) {
  return choose(floatScan, logits, vocab, sequence, position);
}

Result<int32_t> Sampler::sample(const double *logits, int64_t vocab, uint64_t sequence, uint64_t position) {
  return choose(doubleScan, logits, vocab, sequence, position);
}

void Sampler::cutTopP() {
  double total = std::accumulate(weights.begin(), weights.end(), 0.0), sum = 0;
  for (size_t i = 0; i < kept.size(); ++i) {
    sum += weights[i];
    if (sum >= options.topP * total) {
      kept.resize(i + 1);
      weights.resize(i + 1);
      return;
    }
  }
}

/// Draws one of `kept`, in this order, among which top-p chooses if it is wanted.
template <typename T> int32_t Sampler::drawFromKept(const T *logits, double largest, double uniform) {
  weights.resize(kept.size());
  for (size_t i = 0; i < kept.size(); ++i)
    weights[i] = std::exp((double(logits[kept[i]]) - largest) / options.temperature);
  if (options.topP < 1)
    cutTopP();

  // The inverse of the cumulative distribution. Rounding can leave the sum short of the goal at the very end; then it
  // is the last token that has any weight.
  double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double goal = uniform * total, sum = 0;
  int32_t chosen = kept.front();
  for (size_t i = 0; i < kept.size(); ++i) {
    if (weights[i] == 0)
      continue;
    chosen = kept[i];
    sum += weights[i];
    if (sum > goal)
      break;
  }
  return chosen;
}

template <typename T>
Result<int32_t> Sampler::choose(LogitScan<T> &scan, const T *logits, int64_t vocab, uint64_t sequence,
                                uint64_t position) {
  scan.scan(logits, vocab);
  if (std::optional<int64_t> id = scan.firstNaN())
    return Error{"the logit of token " + std::to_string(*id) + " is NaN"};
  int32_t best = scan.largest();
  double largest = double(logits[best]);
  if (largest == -INFINITY)
    return Error{"every logit is -infinity"};
  if (options.temperature == 0)
    return best;
  if (std::isinf(largest))
    return Error{"the logit of token " + std::to_string(best) + " is infinity"};

  double uniform = uniformAt(options.seed, sequence, position);
  bool cutK = options.topK > 0 && options.topK < vocab, cutP = options.topP < 1;
  if (cutK) {
    scan.likeliest(options.topK, kept);
    return drawFromKept(logits, largest, uniform);
  }
  std::optional<int32_t> drawn =
      cutP ? certain.byLikelihood(logits, vocab, largest, options.temperature, options.topP, uniform)
           : certain.byId(logits, vocab, largest, options.temperature, uniform);
  if (drawn)
    return *drawn;
  kept.resize(size_t(vocab));
  std::iota(kept.begin(), kept.end(), 0);
  if (cutP)
    std::sort(kept.begin(), kept.end(), Likelier<T>{logits});
  return drawFromKept(logits, largest, uniform);
}

} // namespace chimera
