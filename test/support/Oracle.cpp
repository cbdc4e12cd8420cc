// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/support/Oracle.h"

#include "test/support/OracleModel.h"

#include <algorithm>

namespace chimera::test {

size_t clearTokens(const OracleResult &result, double margin) {
  return std::find_if(result.expertMargins.begin(), result.expertMargins.end(),
                      [&](double own) { return !(own > margin); }) -
         result.expertMargins.begin();
}

OracleResult runOracle(const Config &config, const TensorMap &parameters, const std::vector<int> &tokens,
                       const RoutingTable *forced, OperandRounding rounding) {
  oracle::EvaluationOptions options;
  options.rounding = rounding;
  options.temperature = config.router.temperature;
  oracle::Evaluation<double> evaluation(config, parameters, options);
  OracleResult result;
  for (size_t t = 0; t < tokens.size(); ++t) {
    result.routing.emplace_back();
    result.logits.push_back(
        evaluation.step(tokens[t], forced ? &forced->at(t) : nullptr, nullptr, result.routing.back()));
    result.expertMargins.push_back(evaluation.expertMargin);
  }
  result.smallestMargin = evaluation.smallestMargin;
  result.refusals = evaluation.refusals;
  return result;
}

} // namespace chimera::test
