// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ending a text before one of some strings.
#ifndef CHIMERA_TOOLS_GENERATION_STOPSTRINGS_H
#define CHIMERA_TOOLS_GENERATION_STOPSTRINGS_H

#include <string>
#include <string_view>
#include <vector>

namespace chimera::run {

/// Cuts a text that comes in parts at the first of some strings in it: the one that is complete first, of those that
/// are complete with the same byte the longest. Where the parts are cut makes no difference.
class StopStrings {
public:
  /// `strings`: none of them empty. Without strings every text passes.
  explicit StopStrings(std::vector<std::string> strings) : strings(std::move(strings)) {}

  /// Adds a part. Gives what of the text certainly comes before a string: what may begin one waits. After a string was
  /// found it gives nothing.
  std::string push(std::string_view part);

  /// Whether the text has one of the strings.
  bool found() const { return complete; }

  /// Ends the text: what still waits.
  std::string flush();

private:
  std::vector<std::string> strings;
  std::string held;
  bool complete = false;
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_GENERATION_STOPSTRINGS_H
