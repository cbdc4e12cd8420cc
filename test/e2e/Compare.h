// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Measures of how far the logits of two runs are apart.
#ifndef CHIMERA_TEST_E2E_COMPARE_H
#define CHIMERA_TEST_E2E_COMPARE_H

#include <cstdint>
#include <vector>

namespace chimera::test {

/// Logits of a sequence: [T][V].
using LogitRows = std::vector<std::vector<double>>;

/// For each position the worst difference of its logits, as a fraction of the largest logit of the sequence. A NaN
/// counts as infinitely far.
std::vector<double> rowDifferences(const LogitRows &actual, const LogitRows &expected);

/// The worst of rowDifferences.
double worstDifference(const LogitRows &actual, const LogitRows &expected);

/// The root of the mean square of the differences of all logits, as a fraction of the largest logit of the sequence.
double meanDifference(const LogitRows &actual, const LogitRows &expected);

/// The share of positions whose difference is greater than `bound`.
double shareBeyond(const std::vector<double> &differences, double bound);

/// Equal in every bit; any NaN equals any other.
bool sameBits(const LogitRows &actual, const LogitRows &expected);

/// A routing table in one row after another, as steps take it.
std::vector<int8_t> flatten(const std::vector<std::vector<int8_t>> &routing);

} // namespace chimera::test

#endif
