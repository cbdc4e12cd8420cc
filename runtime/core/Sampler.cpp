// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

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
  return choose(logits, vocab, sequence, position);
}

Result<int32_t> Sampler::sample(const double *logits, int64_t vocab, uint64_t sequence, uint64_t position) {
  return choose(logits, vocab, sequence, position);
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

template <typename T>
Result<int32_t> Sampler::choose(const T *logits, int64_t vocab, uint64_t sequence, uint64_t position) {
  int32_t best = 0;
  for (int64_t id = 0; id < vocab; ++id) {
    if (std::isnan(logits[id]))
      return Error{"the logit of token " + std::to_string(id) + " is NaN"};
    if (logits[id] > logits[best])
      best = int32_t(id);
  }
  double largest = double(logits[best]);
  if (largest == -INFINITY)
    return Error{"every logit is -infinity"};
  if (options.temperature == 0)
    return best;
  if (std::isinf(largest))
    return Error{"the logit of token " + std::to_string(best) + " is infinity"};

  kept.resize(size_t(vocab));
  std::iota(kept.begin(), kept.end(), 0);
  auto likelier = [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; };
  bool cutK = options.topK > 0 && options.topK < vocab, cutP = options.topP < 1;
  if (cutK) {
    std::nth_element(kept.begin(), kept.begin() + (options.topK - 1), kept.end(), likelier);
    kept.resize(size_t(options.topK));
  }
  if (cutK || cutP)
    std::sort(kept.begin(), kept.end(), likelier);
  weights.resize(kept.size());
  for (size_t i = 0; i < kept.size(); ++i)
    weights[i] = std::exp((double(logits[kept[i]]) - largest) / options.temperature);
  if (cutP)
    cutTopP();

  // The inverse of the cumulative distribution. Rounding can leave the sum short of the goal at the very end; then it
  // is the last token that has any weight.
  double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double goal = uniformAt(options.seed, sequence, position) * total, sum = 0;
  int32_t chosen = best;
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

} // namespace chimera
