// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/config/RoutingSchedule.h"

#include "runtime/io/Numbers.h"

#include <algorithm>
#include <optional>

namespace chimera::train {

static std::optional<RoutingStage> kindFromName(const std::string &name) {
  if (name == "soft")
    return RoutingStage::Soft;
  if (name == "concrete")
    return RoutingStage::Concrete;
  if (name == "hard")
    return RoutingStage::Hard;
  if (name == "gumbel")
    return RoutingStage::Gumbel;
  return std::nullopt;
}

io::Result<RoutingSchedule> RoutingSchedule::parse(const std::string &text) {
  RoutingSchedule schedule;
  schedule.points.clear();
  schedule.written = text;
  if (std::optional<RoutingStage> kind = kindFromName(text)) {
    schedule.points.push_back({*kind, 0.0});
    return schedule;
  }
  for (size_t at = 0; at <= text.size();) {
    size_t end = std::min(text.find(',', at), text.size());
    std::string part = text.substr(at, end - at);
    at = end + 1;
    size_t sign = part.find('@');
    std::optional<RoutingStage> kind = kindFromName(part.substr(0, sign));
    if (!kind)
      return io::Error{io::quote(part) +
                       ": a routing is soft, concrete, hard or gumbel, or a schedule such as soft@0.5,hard@0.6"};
    std::optional<double> fraction = sign == std::string::npos ? std::nullopt : io::parseReal(part.substr(sign + 1));
    if (!fraction || !io::NumberRange{0, 1}.has(*fraction))
      return io::Error{io::quote(part) +
                       ": in a schedule each routing has its fraction of the run, 0 .. 1, after an @"};
    if (!schedule.points.empty() && !(*fraction > schedule.points.back().fraction))
      return io::Error{io::quote(part) + ": the fractions of a schedule rise"};
    schedule.points.push_back({*kind, *fraction});
  }
  return schedule;
}

static bool isSoft(RoutingStage kind) {
  return kind == RoutingStage::Soft || kind == RoutingStage::Concrete;
}

bool RoutingSchedule::usesSoft() const {
  return std::any_of(points.begin(), points.end(), [](const Point &p) { return isSoft(p.kind); });
}

bool RoutingSchedule::mixes() const {
  return usesSoft() && std::any_of(points.begin(), points.end(), [](const Point &p) { return !isSoft(p.kind); });
}

RoutingMoment RoutingSchedule::at(double fraction) const {
  auto after = std::find_if(points.begin(), points.end(), [&](const Point &p) { return fraction < p.fraction; });
  const Point &to = after == points.end() ? points.back() : *after;
  const Point &from = after == points.begin() ? to : *(after - 1);
  double done = to.fraction > from.fraction ? (fraction - from.fraction) / (to.fraction - from.fraction) : 1.0;
  auto share = [](const Point &point) { return isSoft(point.kind) ? 0.0 : 1.0; };
  auto either = [&](RoutingStage kind) { return from.kind == kind || to.kind == kind; };
  return {share(from) + (share(to) - share(from)) * std::min(done, 1.0), either(RoutingStage::Gumbel),
          either(RoutingStage::Concrete)};
}

} // namespace chimera::train
