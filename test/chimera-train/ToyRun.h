// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running chimera-train on the training toy: beside a program named chimera-compile that copies the toy's binary.
#ifndef CHIMERA_TEST_CHIMERATRAIN_TOYRUN_H
#define CHIMERA_TEST_CHIMERATRAIN_TOYRUN_H

#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace chimera::test {

class ToyRun : public testing::Test {
protected:
  ToyRun();

  std::string file(const std::string &name) const { return folder.file(name); }
  /// Writes model/config.json with this `training`.
  void configure(const nlohmann::json &training) const;
  /// The command line of a run of `steps` steps of 4 sequences of 8 tokens into `out`, with more arguments.
  std::vector<std::string> command(const std::string &out, int steps, const std::vector<std::string> &more = {}) const;
  ProcessResult run(const std::string &out, int steps, const std::vector<std::string> &more = {}) const;
  /// The lines of a run's log.
  std::vector<nlohmann::json> log(const std::string &out) const;
  /// A file of a run's folder.
  std::string content(const std::string &out, const std::string &name) const;

  TemporaryDirectory folder;
};

/// Expects exit status `status` and one line on stderr with `text` in it.
void expectError(const ProcessResult &result, int status, const std::string &text);

} // namespace chimera::test

#endif // CHIMERA_TEST_CHIMERATRAIN_TOYRUN_H
