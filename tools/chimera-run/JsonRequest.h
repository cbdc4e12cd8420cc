// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A line of --jsonl: what is to be continued, and how.
#ifndef CHIMERA_TOOLS_CHIMERARUN_JSONREQUEST_H
#define CHIMERA_TOOLS_CHIMERARUN_JSONREQUEST_H

#include "tools/chimera-run/Generate.h"
#include "tools/chimera-run/Options.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chimera::run {

/// What a line asks for.
struct JsonRequest {
  std::optional<nlohmann::json> id; ///< Any value.
  std::optional<std::string> prompt;
  std::vector<int32_t> tokens; ///< If there is no prompt: ids of the vocabulary, at least one.
  Continuation continuation;
  std::vector<std::string> stop; ///< None is empty.

  /// Reads line number `index`, in which null counts as nothing and `options` say what the line does not. A line with a
  /// seed of its own has the random numbers of sequence 0, another those of sequence `index`. The error says what is
  /// wrong with which key; `id` is read even then, if the line is JSON.
  io::Status read(std::string_view line, int64_t index, const Options &options, int64_t vocab);
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_JSONREQUEST_H
