// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_TRAIN_CONFIG_ROUTINGSCHEDULE_H
#define CHIMERA_RUNTIME_TRAIN_CONFIG_ROUTINGSCHEDULE_H

#include "runtime/io/Result.h"

#include <string>
#include <vector>

namespace chimera::train {

/// How tokens are routed: `Soft` in all modes at once, weighted by p; `Concrete` alike, p with Gumbel noise in it;
/// `Hard` in the wanted one; `Gumbel` in one sampled with Gumbel noise.
enum class RoutingStage { Soft, Concrete, Hard, Gumbel };

/// How tokens are routed at one moment.
struct RoutingMoment {
  double hardShare = 1;   ///< The share of the sequences that run hard (or Gumbel); the others run soft (or Concrete).
  bool hardNoise = false; ///< Whether those choose with Gumbel noise.
  bool softNoise = false; ///< Whether the others have it in p.
};

/// Routing over a run: `KIND`, or `KIND@FRACTION,KIND@FRACTION,...`. The first kind holds up to its fraction of the
/// run; then the share of sequences that run hard changes linearly to the next kind's at its fraction, and so on; the
/// last kind holds to the end. While one of the two kinds is `gumbel` the sequences that run hard have noise, while one
/// is `concrete` those that run soft. `soft@0.5,hard@0.6`: soft for half of the run, from there to 60 % a growing share
/// of the sequences hard, then all hard.
class RoutingSchedule {
public:
  /// Hard all the time.
  RoutingSchedule() : points{{RoutingStage::Hard, 0.0}} {}
  /// Errors: an unknown kind, a fraction outside 0 .. 1 or not above the one before, one missing.
  static io::Result<RoutingSchedule> parse(const std::string &text);

  RoutingMoment at(double fraction) const;
  /// Whether some of the run is soft.
  bool usesSoft() const;
  /// Whether some steps may have sequences of both kinds, soft and other.
  bool mixes() const;
  const std::string &text() const { return written; }

private:
  struct Point {
    RoutingStage kind;
    double fraction;
  };
  std::vector<Point> points;
  std::string written = "hard";
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_CONFIG_ROUTINGSCHEDULE_H
