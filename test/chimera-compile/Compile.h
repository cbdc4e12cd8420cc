// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Running chimera-compile on small files.
#ifndef CHIMERA_TEST_CHIMERACOMPILE_COMPILE_H
#define CHIMERA_TEST_CHIMERACOMPILE_COMPILE_H

#include "test/support/Subprocess.h"
#include <gtest/gtest.h>

namespace chimera::test {

/// A small model with all four modes.
inline const char *const smallConfig = R"({
  "model_type": "chimera", "vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
  "num_key_value_heads": 1, "head_dim": 8, "intermediate_size": 24, "token_conv_kernel": 3, "window": 4,
  "ssm": {"state_size": 4, "head_dim": 8}, "router": {"write_gate": true, "capacity_factor": 1.5}
})";

/// A folder with files for one test.
class CompileTest : public testing::Test {
protected:
  /// Writes a file and returns its path.
  std::string write(const std::string &name, const std::string &content) {
    writeFile(folder.file(name), content);
    return folder.file(name);
  }

  ProcessResult compile(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), CHIMERA_COMPILE);
    return runProcess(arguments);
  }

  /// Runs it and gives what it printed; a failure fails the test.
  std::string output(const std::vector<std::string> &arguments) {
    ProcessResult result = compile(arguments);
    EXPECT_EQ(result.status, 0) << result.describe();
    EXPECT_EQ(result.err, "");
    return result.out;
  }

  TemporaryDirectory folder;
};

} // namespace chimera::test

#endif // CHIMERA_TEST_CHIMERACOMPILE_COMPILE_H
