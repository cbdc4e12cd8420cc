// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TEST_SUPPORT_LONGMODE_H
#define CHIMERA_TEST_SUPPORT_LONGMODE_H

#include <cstdlib>
#include <cstring>

namespace chimera::test {

/// Whether the tests are to take their long form: the environment's CHIMERA_LONG is set, and is neither empty nor 0.
inline bool longMode() {
  const char *text = std::getenv("CHIMERA_LONG");
  return text && *text && std::strcmp(text, "0") != 0;
}

} // namespace chimera::test

#endif // CHIMERA_TEST_SUPPORT_LONGMODE_H
