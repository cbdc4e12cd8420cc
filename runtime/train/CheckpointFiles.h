// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The files of a checkpoint: written, flushed, digested, put in place.
#ifndef CHIMERA_RUNTIME_TRAIN_CHECKPOINTFILES_H
#define CHIMERA_RUNTIME_TRAIN_CHECKPOINTFILES_H

#include "runtime/core/Error.h"
#include "runtime/train/State.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace chimera::train {

/// The XXH3-128 of a text, 32 hexadecimal digits.
std::string digestText(std::string_view bytes);

/// {"bytes": n, "digest": hex} of a file.
Result<nlohmann::json> describeFile(const std::string &path);

/// Makes a folder and those above it.
Failure makeFolder(const std::string &path);
/// Flushes a folder's entries to the disk.
Failure syncFolder(const std::string &path);
/// Puts a folder in the place of another, or of nothing, at once; what was there is then at `from`, if there was any.
Failure placeFolder(const std::string &from, const std::string &to);

/// Writes a text, or tensors, atomically.
Failure writeText(const std::string &path, const std::string &text);
Failure writeTensors(const std::string &path, const std::vector<HostTensor> &tensors);
/// A whole file.
Result<std::string> readText(const std::string &path);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_CHECKPOINTFILES_H
