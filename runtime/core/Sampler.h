// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Choosing the next token from logits.
#ifndef CHIMERA_RUNTIME_CORE_SAMPLER_H
#define CHIMERA_RUNTIME_CORE_SAMPLER_H

#include "runtime/core/CertainDraw.h"
#include "runtime/core/LogitScan.h"
#include "runtime/io/Result.h"

#include <array>
#include <cstdint>
#include <vector>

namespace chimera {

/// Philox4x32-10: four random 32-bit words that are a function of a 128-bit
/// counter and a 64-bit key alone. (J. Salmon, M. Moraes, R. Dror, D. Shaw:
/// "Parallel random numbers: as easy as 1, 2, 3", SC 2011.)
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// A number in [0, 1), a multiple of 2^-53, that is a function of its arguments
/// alone: whatever else is computed beside a sequence cannot change its text.
/// `position` is in 0 .. 2^63-1.
double uniformAt(uint64_t seed, uint64_t sequence, uint64_t position);

/// How to choose. The filters apply in the order top-k, top-p.
struct SamplerOptions {
  double temperature = 0; ///< Divides the logits; >= 0. 0: the largest logit, the lowest id of equals.
  int64_t topK = 0;       ///< Keep the k largest logits, of equals the lower ids; 0: all.
  double topP = 1;        ///< Keep the fewest tokens, the most likely first, whose probabilities sum to at least p, in
                          ///< (0, 1]. The probabilities are those after top-k. At least one token is kept.
  uint64_t seed = 0;
};

/// Checks the ranges above; the error names the option.
io::Status checkSamplerOptions(const SamplerOptions &options);

/// Chooses one of `vocab` tokens; keeps its scratch memory between calls.
///
/// What it chooses is what the plain algorithm chooses: put the tokens that a filter leaves in order, the likeliest
/// first (without filters: by id), add up their weights, and take the first at which the sum exceeds its part of the
/// total. Where only a few tokens matter, or a result is certain whatever the sums' rounding, it is found in less time.
class Sampler {
public:
  explicit Sampler(const SamplerOptions &options) : options(options) {}

  /// Chooses by these options from now on.
  void setOptions(const SamplerOptions &wanted) { options = wanted; }

  /// The token that follows `position` tokens of sequence number `sequence`,
  /// given logits[vocab] (f32 or f64), vocab >= 1. Logits of -infinity are never
  /// chosen. Errors: a NaN; no finite logit; with a temperature, +infinity.
  io::Result<int32_t> sample(const float *logits, int64_t vocab, uint64_t sequence, uint64_t position);
  io::Result<int32_t> sample(const double *logits, int64_t vocab, uint64_t sequence, uint64_t position);

private:
  template <typename T>
  io::Result<int32_t> choose(LogitScan<T> &scan, const T *logits, int64_t vocab, uint64_t sequence, uint64_t position);
  template <typename T> int32_t drawFromKept(const T *logits, double largest, double uniform);

  /// Drops from `kept` what top-p drops; `kept` is most likely first and weights parallel to it.
  void cutTopP();

  SamplerOptions options;
  LogitScan<float> floatScan;
  LogitScan<double> doubleScan;
  CertainDraw certain;
  std::vector<int32_t> kept;
  std::vector<double> weights;
};

} // namespace chimera

#endif // CHIMERA_RUNTIME_CORE_SAMPLER_H
