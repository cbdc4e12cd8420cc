// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/ApiKeys.h"

#include "runtime/io/File.h"

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <strings.h>

namespace chimera::serve {

using io::Error;
using io::Status;

Status ApiKeys::add(const std::string &key, const std::string &source) {
  bool printable = std::all_of(key.begin(), key.end(), [](char byte) { return byte > ' ' && byte < 0x7F; });
  if (key.empty() || !printable)
    return Error{source + ": a key must be of letters, digits and other visible characters of ASCII"};
  keys.push_back(key);
  return {};
}

Status ApiKeys::addFile(const std::string &path) {
  io::Result<std::string> text = io::readWhole(path);
  if (!text)
    return text.error();
  std::istringstream lines(*text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (!line.empty() && line.back() == '\r')
      line.pop_back();
    if (line.empty() || line.front() == '#')
      continue;
    if (Status status = add(line, io::quote(path) + ": line " + std::to_string(number)); !status)
      return status;
  }
  if (keys.empty())
    return Error{io::quote(path) + ": has no key"};
  return {};
}

/// Looks at every byte of what was given, whatever the key.
static bool equal(const std::string &given, const std::string &key) {
  volatile uint8_t different = given.size() != key.size();
  for (size_t i = 0; i < given.size(); ++i)
    different = uint8_t(different | (uint8_t(given[i]) ^ uint8_t(key[i % key.size()])));
  return different == 0;
}

bool ApiKeys::allows(const std::string &authorization) const {
  static constexpr size_t length = 7;
  if (strncasecmp(authorization.c_str(), "Bearer ", length) != 0)
    return false;
  std::string given = authorization.substr(length);
  bool found = false;
  for (const std::string &key : keys)
    found |= equal(given, key);
  return found;
}

} // namespace chimera::serve
