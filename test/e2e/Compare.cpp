// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/e2e/Compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace chimera::test {

static double largestOf(const LogitRows &logits) {
  double largest = 0;
  for (const std::vector<double> &row : logits)
    for (double logit : row)
      largest = std::max(largest, std::abs(logit));
  return largest;
}

std::vector<double> rowDifferences(const LogitRows &actual, const LogitRows &expected) {
  if (actual.size() != expected.size())
    throw std::runtime_error("logits of different numbers of positions");
  double largest = largestOf(expected);
  std::vector<double> differences;
  for (size_t t = 0; t < expected.size(); ++t) {
    double worst = 0;
    for (size_t v = 0; v < expected[t].size(); ++v) {
      double difference = std::abs(actual[t].at(v) - expected[t][v]);
      worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
    }
    differences.push_back(worst / largest);
  }
  return differences;
}

double worstDifference(const LogitRows &actual, const LogitRows &expected) {
  std::vector<double> differences = rowDifferences(actual, expected);
  return differences.empty() ? 0 : *std::max_element(differences.begin(), differences.end());
}

double meanDifference(const LogitRows &actual, const LogitRows &expected) {
  double sum = 0, count = 0;
  for (size_t t = 0; t < expected.size(); ++t)
    for (size_t v = 0; v < expected[t].size(); ++v, ++count)
      sum += std::pow(actual.at(t).at(v) - expected[t][v], 2);
  return std::sqrt(sum / count) / largestOf(expected);
}

double shareBeyond(const std::vector<double> &differences, double bound) {
  auto beyond = std::count_if(differences.begin(), differences.end(), [&](double d) { return !(d <= bound); });
  return differences.empty() ? 0 : static_cast<double>(beyond) / static_cast<double>(differences.size());
}

bool sameBits(const LogitRows &actual, const LogitRows &expected) {
  return std::equal(actual.begin(), actual.end(), expected.begin(), expected.end(), [](const auto &a, const auto &b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](double x, double y) {
      return (std::isnan(x) && std::isnan(y)) || std::memcmp(&x, &y, sizeof x) == 0;
    });
  });
}

std::vector<int8_t> flatten(const std::vector<std::vector<int8_t>> &routing) {
  std::vector<int8_t> flat;
  for (const std::vector<int8_t> &row : routing)
    flat.insert(flat.end(), row.begin(), row.end());
  return flat;
}

} // namespace chimera::test
