// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running chimera-train with the compiler beside it on a small model that routes, and comparing what runs leave.
#ifndef CHIMERA_TEST_CHIMERATRAIN_COMPILEDRUN_H
#define CHIMERA_TEST_CHIMERATRAIN_COMPILEDRUN_H

#include "test/support/Subprocess.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace chimera::test {

class CompiledRun {
public:
  /// Writes config.json with this `training`, and other values of the model's keys in `changes`. Runs have `steps`
  /// steps of 8 sequences of 16 tokens.
  CompiledRun(const nlohmann::json &training, int steps, std::string target, const nlohmann::json &changes = {});

  std::string file(const std::string &name) const { return folder.file(name); }
  const std::string &root() const { return folder.path(); }
  /// The command line of a run into the folder `out`, with more arguments.
  std::vector<std::string> command(const std::string &out, const std::vector<std::string> &more = {}) const;
  ProcessResult run(const std::string &out, const std::vector<std::string> &more = {}) const;

  /// Makes the folder `out` with the compiled programs of another run in it.
  void shareBinary(const std::string &from, const std::string &out) const;
  /// The name of the compiled programs in a run's folder.
  std::string binaryOf(const std::string &out) const;
  /// The lines of a run's log without the speeds, which differ from run to run.
  std::vector<nlohmann::json> log(const std::string &out) const;
  /// All that must be equal in two runs: the names of the checkpoints' files, and the contents of these, of
  /// model.safetensors, of config.json and of the log. The first difference in words, or "".
  std::string difference(const std::string &one, const std::string &other) const;

private:
  TemporaryDirectory folder;
  int steps;
  std::string target;
};

/// The names in a folder in order; none if it is not there.
std::vector<std::string> namesIn(const std::string &folder);

/// The files below two folders that are not in both or differ: the first in words, or "".
std::string treeDifference(const std::string &one, const std::string &other);

} // namespace chimera::test

#endif // CHIMERA_TEST_CHIMERATRAIN_COMPILEDRUN_H
