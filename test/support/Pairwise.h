// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Covering arrays of strength two: few rows in which every pair of settings of every two options occurs.
#ifndef CHIMERA_TEST_SUPPORT_PAIRWISE_H
#define CHIMERA_TEST_SUPPORT_PAIRWISE_H

#include <cstdint>
#include <vector>

namespace chimera::test {

/// Rows of settings, row[f] in 0 .. levels[f]-1, such that for any two options every combination of their settings is
/// in some row. Greedy: each row takes the options in random order and gives each the setting that completes most pairs
/// still missing. The same seed gives the same rows. Needs at least two options, each with at least one setting.
std::vector<std::vector<int>> pairwiseRows(const std::vector<int> &levels, uint64_t seed);

} // namespace chimera::test

#endif
