// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/e2e/Quantised.h"

#include "runtime/io/Affixes.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace chimera::test {

namespace {

/// The weights of a group in units of 2^exponent, rounded, and how well that does.
struct Rounded {
  std::vector<double> weights;
  double squares = 0; ///< Of the errors, in the units of exponent 0.

  Rounded(const double *begin, const double *end, int exponent, double most) {
    for (const double *w = begin; w != end; ++w) {
      double units = std::ldexp(*w, -exponent), number = std::clamp(std::nearbyint(units), -most, most);
      weights.push_back(std::ldexp(number, exponent));
      squares += std::pow(std::ldexp(std::nearbyint((units - number) * 1024), exponent), 2);
    }
  }
};

} // namespace

static std::vector<double> roundGroup(const std::string &weights, const double *begin, const double *end) {
  constexpr int least = -126;
  bool isInt8 = weights == "int8";
  double largest = 0, most = isInt8 ? 127 : 7;
  for (const double *w = begin; w != end; ++w)
    largest = std::max(largest, std::abs(*w));
  int exponent = least;
  while (largest > std::ldexp(isInt8 ? 127 : 7.5, exponent))
    ++exponent;
  Rounded whole(begin, end, exponent, most);
  if (isInt8 || exponent == least)
    return whole.weights;
  Rounded finer(begin, end, exponent - 1, most);
  return finer.squares < whole.squares ? finer.weights : whole.weights;
}

void roundTo(const std::string &weights, Tensor &matrix) {
  constexpr int64_t group = 32;
  int64_t inputs = matrix.shape.back();
  for (size_t row = 0; row < matrix.values.size(); row += static_cast<size_t>(inputs))
    for (int64_t first = 0; first < inputs; first += group) {
      double *begin = &matrix.values[row + static_cast<size_t>(first)];
      std::vector<double> rounded = roundGroup(weights, begin, begin + std::min(group, inputs - first));
      std::copy(rounded.begin(), rounded.end(), begin);
    }
}

RandomModel withQuantisedWeights(const RandomModel &model, const std::string &weights) {
  RandomModel rounded = model;
  if (model.config.tieWordEmbeddings) {
    const std::string tied = "\"tie_word_embeddings\": true", untied = "\"tie_word_embeddings\": false";
    size_t at = rounded.configText.find(tied);
    if (at == std::string::npos)
      throw std::runtime_error("a tied model that does not say so");
    rounded.configText.replace(at, tied.size(), untied);
    rounded.config.tieWordEmbeddings = false;
    rounded.parameters["lm_head.weight"] = model.parameters.at("embed_tokens.weight");
  }
  // The routers' are called router.proj, router.fc1 and router.fc2.
  for (auto &[name, tensor] : rounded.parameters)
    if (io::endsWith(name, "_proj.weight") || name == "lm_head.weight")
      roundTo(weights, tensor);
  return rounded;
}

} // namespace chimera::test
