// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the command lines of the programs without LLVM have in common.
#ifndef CHIMERA_TOOLS_SUPPORT_COMMANDLINE_H
#define CHIMERA_TOOLS_SUPPORT_COMMANDLINE_H

#include "runtime/io/Result.h"

#include <cstdint>
#include <optional>
#include <string>

namespace CLI {
class App;
} // namespace CLI

namespace chimera::tools {

/// Prints `message`, whatever bytes it has, as one line on stderr after the program's name; returns 2, the exit status
/// of a wrong command line.
int misuse(const std::string &program, const std::string &message);

/// Reads the command line into what `app` has options for. The exit status if the program is to end now: 0 after
/// --help or --version, 1 if their text could not be written, 2 for a misuse; the last two are said.
std::optional<int> parseCommandLine(CLI::App &app, int argc, char **argv);

/// A seed, 0 .. 2^64-1; an error names --seed.
io::Result<uint64_t> parseSeed(const std::string &text);

} // namespace chimera::tools

#endif // CHIMERA_TOOLS_SUPPORT_COMMANDLINE_H
