// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random ways to run the same sequences, and the check that none of them changes a bit.
#ifndef CHIMERA_TEST_E2E_SCENARIO_H
#define CHIMERA_TEST_E2E_SCENARIO_H

#include "test/e2e/Cases.h"
#include "test/e2e/Engine.h"
#include "test/support/Random.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chimera::test {

/// A sequence and what one prefill of it alone, on one thread, makes of it.
struct Prompt {
  std::vector<int32_t> tokens;
  /// [T][layers], or empty: nothing is forced.
  std::vector<int8_t> forced;
  /// Logits [T][V] and routing [T][L].
  StepResult reference;
};

/// Prompts that share prefixes, so that a fork of one can go on as another; some hold tokens whose embedding is NaN,
/// infinite or too large to square, some have forced modes. The references are computed here.
std::vector<Prompt> makePrompts(const Engine &engine, const ModelCase &modelCase, const Config &config, Random random);

/// What scenarios did, so that a test can tell that it tested something.
struct ScenarioCounts {
  int64_t steps = 0, rows = 0, forks = 0, drops = 0, restores = 0, poisonedRows = 0;
};

/// Sequences snapshotted by earlier scenarios of the same binary.
struct Snapshot {
  std::string bytes;
  size_t prompt;
  int64_t position;
};

/// Runs one random scenario: a session with 1, 2 or 3 threads, sequences added, forked, dropped, snapshotted and
/// restored, steps over random subsets with random chunks. Returns the first difference from the references in words,
/// or "" if there is none.
std::string runScenario(const Engine &engine, const std::vector<Prompt> &prompts, std::vector<Snapshot> &snapshots,
                        Random random, ScenarioCounts &counts);

} // namespace chimera::test

#endif
