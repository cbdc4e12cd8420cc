// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The small JSON files beside a tokenizer: tokenizer_config.json and others.
#ifndef CHIMERA_RUNTIME_TEXT_CONFIGFILE_H
#define CHIMERA_RUNTIME_TEXT_CONFIGFILE_H

#include "runtime/io/Result.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace chimera::text {

/// The object in a file, or nothing if there is no such file. The error names the file.
io::Result<std::optional<nlohmann::json>> readConfigFile(const std::string &path);

/// The token in the field `name` of an object that came from `path`: a string, or an object with its content. Null and
/// a missing field give nothing.
io::Result<std::optional<std::string>> tokenIn(const nlohmann::json &object, const std::string &path,
                                               const std::string &name);

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_CONFIGFILE_H
