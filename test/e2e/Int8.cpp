// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/e2e/Int8.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace chimera::test {

void roundToInt8(Tensor &matrix) {
  constexpr int64_t group = 32;
  int64_t inputs = matrix.shape.back();
  for (size_t row = 0; row < matrix.values.size(); row += static_cast<size_t>(inputs))
    for (int64_t first = 0; first < inputs; first += group) {
      double *begin = &matrix.values[row + static_cast<size_t>(first)];
      double *end = begin + std::min(group, inputs - first);
      double largest = 0;
      for (double *w = begin; w != end; ++w)
        largest = std::max(largest, std::abs(*w));
      if (largest == 0)
        continue;
      int exponent = -126;
      while (largest > std::ldexp(127.0, exponent))
        ++exponent;
      for (double *w = begin; w != end; ++w)
        *w = std::ldexp(std::nearbyint(std::ldexp(*w, -exponent)), exponent);
    }
}

static bool endsWith(const std::string &text, const std::string &end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

RandomModel withInt8Weights(const RandomModel &model) {
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
    if (endsWith(name, "_proj.weight") || name == "lm_head.weight")
      roundToInt8(tensor);
  return rounded;
}

} // namespace chimera::test
