// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Strict JSON for file formats.
#ifndef CHIMERA_RUNTIME_IO_JSON_H
#define CHIMERA_RUNTIME_IO_JSON_H

#include "runtime/io/Result.h"

#include <cstddef>
#include <nlohmann/json.hpp>

namespace chimera::io {

/// Parses `size` bytes as one JSON value. Not valid JSON or UTF-8, a key twice
/// in one object, or values nested deeper than 64: an error that says at which
/// byte or key; it does not name the file.
Result<nlohmann::json> parseJson(const void *text, size_t size);

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_JSON_H
