// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TEST_CHIMERATRAIN_ERRORLINES_H
#define CHIMERA_TEST_CHIMERATRAIN_ERRORLINES_H

#include <sstream>
#include <string>
#include <vector>

namespace chimera::test {

/// The lines that chimera-train itself says of an error, of all that it and MPI wrote.
inline std::vector<std::string> errorLines(const std::string &said) {
  std::vector<std::string> found;
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line);)
    if (line.rfind("chimera-train: ", 0) == 0 && line.find("warning: ") == std::string::npos)
      found.push_back(line);
  return found;
}

} // namespace chimera::test

#endif // CHIMERA_TEST_CHIMERATRAIN_ERRORLINES_H
