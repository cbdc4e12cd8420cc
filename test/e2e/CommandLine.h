// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A compiled model on disk with arrays for chimera-run, for tests that go through the command line.
#ifndef CHIMERA_TEST_E2E_COMMANDLINE_H
#define CHIMERA_TEST_E2E_COMMANDLINE_H

#include "test/e2e/Cases.h"
#include "test/support/Subprocess.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chimera::test {

/// A model with every mode, compiled, and a directory with its config.json and model.safetensors.
struct ModelOnDisk {
  RandomModel model;
  TemporaryDirectory directory;
  std::string binary;

  explicit ModelOnDisk(const Build &build);

  /// Runs chimera-run on the binary and its weights with more arguments.
  ProcessResult run(const std::vector<std::string> &arguments) const;

  /// Writes an int32, int64 or int8 array into the directory; returns its path.
  template <typename T>
  std::string writeArray(const std::string &name, const std::vector<int64_t> &shape,
                         const std::vector<T> &values) const;
};

} // namespace chimera::test

#endif
