// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pages of one HTML file that needs nothing else: data for a script to draw.
#ifndef CHIMERA_RUNTIME_IO_HTMLPAGE_H
#define CHIMERA_RUNTIME_IO_HTMLPAGE_H

#include <nlohmann/json.hpp>

#include <string>

namespace chimera::io {

/// The parts of a page. `html` has the words {{STYLE}}, {{SCRIPT}} and {{DATA}} in the places of the others.
struct HtmlTemplate {
  const char *html, *style, *script;
};

/// The page with its data, which the script finds as JSON in the element that {{DATA}} stands in. Bytes in strings that
/// are not UTF-8 become U+FFFD.
std::string htmlPage(const HtmlTemplate &page, const nlohmann::json &data);

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_HTMLPAGE_H
