// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A ragged batch for the routing kernel, what the kernel makes of it, and a plain C++ statement of what it should make.
#ifndef CHIMERA_TEST_CODEGENNVPTX_ROUTECASE_H
#define CHIMERA_TEST_CODEGENNVPTX_ROUTECASE_H

#include "test/codegen-nvptx/SimKernel.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chimera::nvptx::test {

/// A batch and the layer's parameters.
struct RouteInput {
  std::vector<int32_t> index, start{0}, sequence, slot;
  std::vector<int64_t> position;
  std::vector<float> x, normWeight, normBias, routerNormWeight, routerNormBias, routerWeight, bias;
  std::vector<int8_t> forced;
  std::vector<int64_t> counts;
  int64_t layer = 1, layers = 3;

  int64_t rows() const { return start.back(); }
  int64_t sequences() const { return static_cast<int64_t>(slot.size()); }
};

/// Random parameters for the spec, and sequences with these many rows; sequence s starts at position 3 s with slot
/// S - 1 - s, and as many tokens have been admitted to each mode before as `admitted` says. Every `forcedEvery`-th row
/// is forced to some mode (0: none).
RouteInput makeRouteInput(const RouteSpec &spec, const std::vector<int64_t> &lengths, uint64_t seed,
                          int64_t forcedEvery = 0, int64_t admitted = 0);

/// The part of `input` that is sequence s, alone in a batch, with the same slot.
RouteInput onlySequence(const RouteInput &input, const RouteSpec &spec, int64_t sequence);

struct RouteOutput {
  std::string error;
  sim::Statistics statistics;
  std::vector<float> h, logits, gate, logp;
  std::vector<int8_t> mode;
  std::vector<int32_t> index, inverse;
  std::vector<std::vector<int32_t>> start;
  std::vector<int64_t> counts;
  uint32_t ticket = 0;
};

RouteOutput runRoute(const SimKernel &kernel, const RouteSpec &spec, const RouteInput &input, uint64_t seed = 0,
                     bool checkRaces = true);

/// h and logits in f64 from the input, with a bound for the error of each f32 logit: a sum of D terms, added up by 32
/// lanes and a tree, of operands with a few roundings behind them.
struct PlainLogits {
  std::vector<double> h, logits, logitBound;
};
PlainLogits plainLogits(const RouteSpec &spec, const RouteInput &input);

/// Everything after the logits, token by token, from the logits given (those of the kernel, or of another target).
RouteOutput plainRoute(const RouteSpec &spec, const RouteInput &input, const std::vector<float> &logits);

/// Expects equal modes, counts and permutation, and ln p and gates within a few roundings.
void expectSameRouting(const RouteOutput &got, const RouteOutput &expected);

/// Expects each row of `part` to have the bits of the row `firstRow` further on in `whole`.
void expectSameBits(const RouteSpec &spec, const RouteOutput &part, const RouteOutput &whole, int64_t firstRow);

} // namespace chimera::nvptx::test

#endif
