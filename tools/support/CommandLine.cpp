// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/support/CommandLine.h"

#include "tools/support/Streams.h"

#include <CLI/CLI.hpp>

#include <charconv>
#include <iostream>

namespace chimera::tools {

int misuse(const std::string &program, const std::string &message) {
  std::cerr << program << ": " << io::escaped(message) << "\n";
  return 2;
}

std::optional<int> parseCommandLine(CLI::App &app, int argc, char **argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &wanted) {
    int status = app.exit(wanted);
    io::Status written = flush(stdout);
    if (written)
      return status;
    std::cerr << app.get_name() << ": " << written.error().message << "\n";
    return 1;
  } catch (const CLI::ParseError &error) {
    return misuse(app.get_name(), error.what());
  }
  return std::nullopt;
}

io::Result<uint64_t> parseSeed(const std::string &text) {
  uint64_t seed = 0;
  const char *end = text.data() + text.size();
  auto [stop, code] = std::from_chars(text.data(), end, seed);
  if (code != std::errc() || stop != end)
    return io::Error{"--seed: " + io::quote(text) + " is not a number in 0 .. 2^64-1"};
  return seed;
}

} // namespace chimera::tools
