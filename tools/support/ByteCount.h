// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_SUPPORT_BYTECOUNT_H
#define CHIMERA_TOOLS_SUPPORT_BYTECOUNT_H

#include "runtime/io/Result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace chimera::tools {

/// A number of bytes as all command lines take it: a whole number from 1 on, or one with K, M or G (powers of 1024), at
/// most 2^50. The error names `option` ("--memory-limit").
io::Result<int64_t> parseByteCount(const std::string &option, std::string_view text);

} // namespace chimera::tools

#endif // CHIMERA_TOOLS_SUPPORT_BYTECOUNT_H
