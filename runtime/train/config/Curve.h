// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_TRAIN_CONFIG_CURVE_H
#define CHIMERA_RUNTIME_TRAIN_CONFIG_CURVE_H

#include "dialect/frontend/ObjectReader.h"

#include <utility>
#include <vector>

namespace chimera::train {

/// A number that changes over a run: linear between points (fraction of the run, value), constant before the first and
/// after the last.
class Curve {
public:
  /// A constant.
  explicit Curve(double value) : points{{0.0, value}} {}
  /// At least one point, the fractions rising.
  explicit Curve(std::vector<std::pair<double, double>> points) : points(std::move(points)) {}

  double at(double fraction) const;
  /// Where the first point is.
  double start() const { return points.front().first; }
  /// The last point's value.
  double last() const { return points.back().second; }

private:
  std::vector<std::pair<double, double>> points;
};

/// The curve at `key`: a number, or a list of pairs [fraction, value], fractions in 0 .. 1 and rising, values in the
/// range.
Curve readCurve(ObjectReader &reader, std::string_view key, double byDefault, NumberRange range);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_CONFIG_CURVE_H
