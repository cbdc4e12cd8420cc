// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/Statistics.h"

#include <algorithm>
#include <cmath>

namespace chimera::bench {

Statistics statisticsOf(std::vector<double> values) {
  Statistics result;
  if (values.empty())
    return result;
  std::sort(values.begin(), values.end());
  size_t n = values.size();
  result.median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  for (double value : values)
    result.mean += value / double(n);
  double squares = 0;
  for (double value : values)
    squares += (value - result.mean) * (value - result.mean);
  if (n > 1)
    result.deviation = std::sqrt(squares / double(n - 1));
  return result;
}

} // namespace chimera::bench
