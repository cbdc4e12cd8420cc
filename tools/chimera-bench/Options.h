// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERABENCH_OPTIONS_H
#define CHIMERA_TOOLS_CHIMERABENCH_OPTIONS_H

#include "tools/chimera-inspect/MemoryEstimate.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace chimera::bench {

enum class Format { Table, Csv, Json };

struct Options {
  std::string model;
  std::string weights; ///< Empty: random weights.
  uint64_t seed = 0;
  std::vector<int64_t> prefill;        ///< Prompt lengths.
  std::vector<int64_t> decodeContexts; ///< Tokens in the caches before the first decoded one.
  std::vector<int64_t> batches = {1};
  int64_t decodeTokens = 32;
  int64_t repeats = 5;
  int64_t warmup = 1;
  int64_t threads = 0;     ///< 0: as many as the process may use.
  int64_t memoryLimit = 0; ///< Bytes of the caches; 0: what the process may use.
  std::optional<inspect::Fractions> fractions;
  bool profile = false;
  std::string trace; ///< Empty: none.
  bool peers = false;
  Format format = Format::Table;
  std::string output; ///< Empty: stdout.
};

/// The options, or the exit status: 0 after --help or --version, 2 after a line on stderr about misuse.
std::variant<Options, int> parseOptions(int argc, char **argv);

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_OPTIONS_H
