// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERABENCH_STATISTICS_H
#define CHIMERA_TOOLS_CHIMERABENCH_STATISTICS_H

#include <vector>

namespace chimera::bench {

struct Statistics {
  double mean = 0;
  double deviation = 0; ///< Of the sample (divided by n - 1); 0 for one value.
  double median = 0;    ///< The mean of the two middle values when their number is even.
};

/// All 0 for no values.
Statistics statisticsOf(std::vector<double> values);

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_STATISTICS_H
