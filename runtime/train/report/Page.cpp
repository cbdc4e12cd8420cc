// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/report/Page.h"

#include "runtime/io/AtomicFile.h"
#include "runtime/io/HtmlPage.h"

#include <cstdio>
#include <cstdlib>

namespace chimera {

/// Of the folder page (cmake/Pages.cmake).
extern const io::HtmlTemplate trainingPage;

} // namespace chimera

namespace chimera::train {

using nlohmann::json;

/// Numbers to five digits, which is more than a curve shows.
static json rounded(const json &value) {
  if (value.is_number_float()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.5g", value.get<double>());
    return std::strtod(text, nullptr);
  }
  json copy = value;
  if (copy.is_structured())
    for (json &part : copy)
      part = rounded(part);
  return copy;
}

void Page::Points::add(json point) {
  constexpr size_t most = 800;
  if (added++ % stride != 0)
    return;
  kept.push_back(std::move(point));
  if (kept.size() <= most)
    return;
  for (size_t i = 0; 2 * i < kept.size(); ++i)
    kept[i] = std::move(kept[2 * i]);
  kept.resize((kept.size() + 1) / 2);
  stride *= 2;
}

void Page::add(const json &line) {
  std::string kind = line.value("kind", "");
  if (kind == "run")
    run = line;
  else if (kind == "step")
    steps.add(lastStep = rounded(line));
  else if (kind == "evaluation")
    evaluations.add(lastEvaluation = rounded(line));
}

/// All points, and the last even where it is not one of every stride-th.
static json listOf(const std::vector<json> &kept, const json &last) {
  json list = kept;
  if (!last.is_null() && (kept.empty() || kept.back() != last))
    list.push_back(last);
  return list;
}

std::string Page::html(bool finished) const {
  json data = {{"run", run},
               {"finished", finished},
               {"steps", listOf(steps.kept, lastStep)},
               {"evaluations", listOf(evaluations.kept, lastEvaluation)}};
  return io::htmlPage(trainingPage, data);
}

io::Status Page::write(bool finished) const {
  return io::writeWhole(path, html(finished));
}

} // namespace chimera::train
