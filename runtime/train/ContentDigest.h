// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Telling files from others by what is in them, in little time however large they are.
#ifndef CHIMERA_RUNTIME_TRAIN_CONTENTDIGEST_H
#define CHIMERA_RUNTIME_TRAIN_CONTENTDIGEST_H

#include "runtime/core/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chimera::train {

/// Up to so many bytes, of all files together, the whole content counts.
inline constexpr uint64_t wholeContentBytes = uint64_t(64) << 20;
/// Of more, blocks of so many bytes: this many, at equal distances, the first and the last among them.
inline constexpr uint64_t contentBlockBytes = uint64_t(64) << 10, contentBlocks = 1024;

/// 32 hexadecimal digits made of the files' sizes, in their order, and of their content as one stream. Names and places
/// do not count. Errors name the file: unreadable, or shorter than the system said.
runtime::Result<std::string> contentDigest(const std::vector<std::string> &paths);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_CONTENTDIGEST_H
