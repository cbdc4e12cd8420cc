// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/HtmlPage.h"

namespace chimera::io {

static void replace(std::string &text, const std::string &word, const std::string &by) {
  size_t at = text.find(word);
  if (at != std::string::npos)
    text.replace(at, word.size(), by);
}

std::string htmlPage(const HtmlTemplate &page, const nlohmann::json &data) {
  std::string safe; // "<" may not end the element that holds the data
  for (char c : data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
    if (c == '<')
      safe += "\\u003c";
    else
      safe += c;
  std::string text = page.html;
  replace(text, "{{STYLE}}", page.style);
  replace(text, "{{SCRIPT}}", page.script);
  replace(text, "{{DATA}}", safe);
  return text;
}

} // namespace chimera::io
