// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The results as a table, as comma-separated values or as JSON.
#ifndef CHIMERA_TOOLS_CHIMERABENCH_REPORT_H
#define CHIMERA_TOOLS_CHIMERABENCH_REPORT_H

#include "tools/chimera-bench/MachineLimits.h"
#include "tools/chimera-bench/Peers.h"
#include "tools/chimera-bench/Statistics.h"
#include "tools/chimera-bench/Workload.h"

#include <string>
#include <vector>

namespace chimera::bench {

/// Everything that was measured in one run of the program.
struct Report {
  const runtime::Manifest *manifest = nullptr;
  const runtime::Variant *variant = nullptr; ///< The one that runs.
  double weightBytes = 0;                    ///< What its launches read of the weights, each once.
  const Options *options = nullptr;
  MachineLimits limits;
  std::vector<Measurement> measurements;
  std::vector<PeerResult> peers;
};

/// One line of the results: a measurement with what follows from it.
struct ReportRow {
  std::string program = "chimera";
  Work work;
  Statistics speed;                              ///< Tokens a second.
  const Measurement *measurement = nullptr;      ///< Null for a peer.
  double seconds = 0;                            ///< The median run.
  double bytesPerSecond = 0, bandwidthShare = 0; ///< Of the median run; the share of MachineLimits::bytesPerSecond.
  double flopsPerSecond = 0, peakShare = 0;      ///< The share of MachineLimits::peak().
};

/// Our rows, then the peers'.
std::vector<ReportRow> rowsOf(const Report &report);

std::string tableOf(const Report &report);
std::string csvOf(const Report &report);
std::string jsonOf(const Report &report);

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_REPORT_H
