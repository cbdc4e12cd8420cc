// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-compile/Guard.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"

namespace chimera::compile {

namespace {

constexpr int deepest = 128;
constexpr int mostSigns = 8;
constexpr size_t mostResultDigits = 5;

/// The end of the string literal or comment that starts at `at`, or `at` if none does.
size_t skipText(llvm::StringRef text, size_t at) {
  if (text.substr(at).starts_with("//"))
    return std::min(text.find('\n', at), text.size());
  if (text[at] != '"')
    return at;
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"' || text[i] == '\n')
      return i + 1;
  }
  return text.size();
}

llvm::Error faultAt(llvm::StringRef text, size_t at, llvm::StringRef fileName, llvm::StringRef what) {
  llvm::StringRef before = text.take_front(at);
  size_t lineStart = before.rfind('\n');
  size_t column = lineStart == llvm::StringRef::npos ? at + 1 : at - lineStart;
  return llvm::createStringError(llvm::inconvertibleErrorCode(), fileName + ":" + llvm::Twine(before.count('\n') + 1) +
                                                                     ":" + llvm::Twine(column) + ": " + what);
}

} // namespace

llvm::Error checkText(llvm::StringRef text, llvm::StringRef fileName) {
  int depth = 0, signs = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    size_t end = skipText(text, i);
    if (end != i) {
      i = end - 1;
      continue;
    }
    char c = text[i];
    char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (c == '-' && next == '>') {
      ++i;
      continue;
    }
    if (c == '-')
      ++signs;
    else if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
      signs = 0;
    if (c == '(' || c == '[' || c == '{' || (c == '<' && next != '='))
      ++depth;
    else if ((c == ')' || c == ']' || c == '}' || (c == '>' && next != '=')) && depth > 0)
      --depth;
    if (depth > deepest || signs > mostSigns)
      return faultAt(text, i, fileName, "nested too deeply");
    if (c == '#' && text.substr(i + 1).take_while(llvm::isDigit).size() > mostResultDigits)
      return faultAt(text, i, fileName, "no op has so many results");
  }
  return llvm::Error::success();
}

} // namespace chimera::compile
