// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/config/Curve.h"

#include <optional>

namespace chimera::train {

double Curve::at(double fraction) const {
  if (fraction <= points.front().first)
    return points.front().second;
  for (size_t i = 1; i < points.size(); ++i) {
    auto [x0, y0] = points[i - 1];
    auto [x1, y1] = points[i];
    if (fraction < x1)
      return y0 + (y1 - y0) * ((fraction - x0) / (x1 - x0));
  }
  return points.back().second;
}

/// The pair in `item`; nothing unless it is [fraction, value] with a fraction above `after`.
static std::optional<std::pair<double, double>> readPoint(const JsonValue &item, double after, NumberRange range) {
  if (item.kind != JsonValue::Kind::Array || item.items.size() != 2 || !item.items[0].isNumber() ||
      !item.items[1].isNumber())
    return std::nullopt;
  double fraction = item.items[0].number, value = item.items[1].number;
  if (!(fraction > after) || fraction < 0 || fraction > 1 || !range.has(value))
    return std::nullopt;
  return std::pair(fraction, value);
}

Curve readCurve(ObjectReader &reader, std::string_view key, double byDefault, NumberRange range) {
  const JsonValue *value = reader.find(key);
  if (!value || value->kind != JsonValue::Kind::Array)
    return Curve(reader.number(key, byDefault, range));
  std::vector<std::pair<double, double>> points;
  for (size_t i = 0; i < value->items.size(); ++i) {
    auto point = readPoint(value->items[i], points.empty() ? -1.0 : points.back().first, range);
    if (!point) {
      reader.error(std::string(key) + "[" + std::to_string(i) + "]",
                   "must be [fraction, value], fractions in 0 .. 1 and rising, the value in the key's range");
      return Curve(byDefault);
    }
    points.push_back(*point);
  }
  if (points.empty()) {
    reader.error(key, "must be a number or a list of at least one [fraction, value]");
    return Curve(byDefault);
  }
  return Curve(std::move(points));
}

} // namespace chimera::train
