// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The models that the end-to-end tests compile, and the compiler with a cache of what it made.
#ifndef CHIMERA_TEST_E2E_CASES_H
#define CHIMERA_TEST_E2E_CASES_H

#include "test/e2e/Builds.h"
#include "test/support/LongMode.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chimera::test {

struct ModelCase {
  /// Usable in a test's name.
  std::string name;
  std::string configText;
  /// Of weights and tokens.
  uint64_t seed;
  /// The tokens of the longest sequence to run.
  int length;
  /// The binary's limits: small ones make the runtime cut steps.
  int maxTokens;
  int maxSeqs;
};

/// The seed of all random choices: the environment's CHIMERA_SEED, else 1.
uint64_t baseSeed();

/// A covering set of models (every pair of settings of any two options), then some drawn freely.
const std::vector<ModelCase> &modelCases();

/// The path of the compiled binary, kept in the build directory between tests of one state of the compiler. Throws
/// std::runtime_error with the compiler's output if it fails.
std::string compileModel(const ModelCase &modelCase, const Build &build);

/// Compiles IR of the model level, with the limits of `modelCase`, to the file `binary`. Throws as compileModel does.
void compileIR(const std::string &ir, const ModelCase &modelCase, const Build &build, const std::string &binary);

/// The IR of the model level that a model's config becomes in a dtype. Throws as compileModel does.
std::string modelIR(const ModelCase &modelCase, Precision precision);

/// Random token ids in 0 .. bound-1.
std::vector<int> randomTokens(int count, int64_t bound, uint64_t seed);

} // namespace chimera::test

#endif
