// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Error.h"

#include <system_error>

namespace chimera::runtime {

Error systemError(const std::string &what, int code) {
  return Error(what + ": " + std::generic_category().message(code), CHIMERA_ERROR_SYSTEM);
}

} // namespace chimera::runtime
