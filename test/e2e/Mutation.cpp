// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/e2e/Mutation.h"

#include <regex>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace chimera::test {
namespace {

using Lines = std::vector<std::string>;

Lines linesOf(const std::string &text) {
  Lines lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

std::string textOf(const Lines &lines) {
  std::string text;
  for (const std::string &line : lines)
    text += line + "\n";
  return text;
}

size_t indentOf(const std::string &line) {
  return line.find_first_not_of(' ');
}

/// The line after the last one that can name what the line `at` defines: a region ends with a line that is indented
/// less.
size_t endOfScope(const Lines &lines, size_t at) {
  size_t end = at;
  while (end < lines.size() && indentOf(lines[end]) >= indentOf(lines[at]))
    ++end;
  return end;
}

/// Puts `value` for the name `name` into a line.
void rename(std::string &line, const std::string &name, const std::string &value) {
  line = std::regex_replace(line, std::regex(name + "(?![A-Za-z0-9_])"), value);
}

/// The name of the first result that a line defines.
std::string resultOf(const std::string &line) {
  size_t start = line.find('%');
  return line.substr(start, line.find_first_of(" ,:", start) - start);
}

/// The line of the scope before `at` that defines `name`.
std::string &definition(Lines &lines, size_t at, const std::string &name) {
  while (at-- > 0)
    if (lines[at].find(name + " = ") != std::string::npos)
      return lines[at];
  throw std::runtime_error("nothing defines " + name);
}

} // namespace

std::string withRounding(const std::string &ir, const std::string &marker) {
  Lines lines = linesOf(ir);
  int rounded = 0;
  for (size_t at = 0; at < lines.size(); ++at) {
    const std::string line = lines[at];
    if (line.find(marker) == std::string::npos || line.find(" = ") == std::string::npos ||
        line.find("chimera.param") != std::string::npos)
      continue;
    std::string name = resultOf(line);
    size_t arrow = line.find("-> ");
    std::smatch type;
    std::string types = arrow == std::string::npos ? line : line.substr(arrow);
    if (!std::regex_search(types, type, std::regex("tensor<\\?x[0-9]+x")))
      throw std::runtime_error("no matrix results from: " + line);
    std::string f32 = type.str() + "f32>", bf16 = type.str() + "bf16>";
    std::string number = std::to_string(rounded++), half = "%half" + number, back = "%back" + number;
    for (size_t user = at + 1; user < endOfScope(lines, at); ++user)
      rename(lines[user], name, back);
    std::string indent(indentOf(line), ' ');
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                 {indent + half + " = chimera.cast " + name + " : " + f32 + " to " + bf16,
                  indent + back + " = chimera.cast " + half + " : " + bf16 + " to " + f32});
  }
  if (!rounded)
    throw std::runtime_error("no op has '" + marker + "'");
  return textOf(lines);
}

std::string withoutRounding(const std::string &ir, const std::string &weight) {
  Lines lines = linesOf(ir);
  const std::regex bf16("xbf16>");
  const std::string attributes = "( \\{[^}]*\\})? :";
  int changed = 0;
  for (size_t at = 0; at < lines.size(); ++at) {
    if (lines[at].find("chimera.param ") == std::string::npos || lines[at].find(weight + "\" ") == std::string::npos)
      continue;
    lines[at] = std::regex_replace(lines[at], bf16, "xf32>");
    std::string parameter = resultOf(lines[at]);
    for (size_t user = at + 1; user < endOfScope(lines, at); ++user) {
      std::smatch input;
      if (!std::regex_search(lines[user], input,
                             std::regex("chimera\\.linear (%[a-z0-9_]+), " + parameter + attributes)))
        continue;
      std::string cast = definition(lines, user, input[1]);
      std::smatch source;
      if (!std::regex_search(cast, source, std::regex("chimera\\.cast (%[a-z0-9_]+)" + attributes)))
        throw std::runtime_error("nothing rounds " + input[1].str());
      rename(lines[user], input[1], source[1]);
      lines[user] = std::regex_replace(lines[user], bf16, "xf32>");
      ++changed;
    }
  }
  if (!changed)
    throw std::runtime_error("no linear layer reads '" + weight + "'");
  return textOf(lines);
}

} // namespace chimera::test
