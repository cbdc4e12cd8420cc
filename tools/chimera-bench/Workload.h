// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs prefill and decode work over the C interface and measures it.
#ifndef CHIMERA_TOOLS_CHIMERABENCH_WORKLOAD_H
#define CHIMERA_TOOLS_CHIMERABENCH_WORKLOAD_H

#include "runtime/core/Manifest.h"
#include "tools/chimera-bench/Cost.h"
#include "tools/chimera-bench/Handles.h"
#include "tools/chimera-bench/Options.h"
#include "tools/chimera-bench/Profile.h"
#include "tools/chimera-bench/Routing.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace chimera::bench {

/// Work of one kind: `batch` sequences that hold `context` tokens get `tokens` more, all at once or one by one.
struct Work {
  bool isDecode = false;
  int64_t batch = 1;
  int64_t context = 0;
  int64_t tokens = 0;

  /// "prefill" or "decode".
  const char *name() const { return isDecode ? "decode" : "prefill"; }
  int64_t allTokens() const { return batch * tokens; }
};

struct Measurement {
  Work work;
  std::vector<double> seconds;       ///< Of each timed run.
  Cost cost;                         ///< Of one run.
  std::array<double, 4> shares = {}; ///< Of the rows and layers of a run: the mode that was admitted.
  int64_t cacheBytes = 0;            ///< In use by all sequences after a run.
  std::optional<LaunchProfile> profile;
};

/// A session of one model in which work is done. The arguments must outlive it.
class Runner {
public:
  static io::Result<Runner> create(const chimera_model *model, const chimera_weights *weights,
                                   const runtime::Manifest &manifest, const runtime::Variant &variant,
                                   const Options &options);

  /// What a step reads of the weights if every mode has rows.
  double weightBytes() const { return costs.weightBytes(); }

  /// Warm-up, timed runs, and the profiled run when one is wanted. Leaves no sequence behind.
  io::Result<Measurement> measure(const Work &work);

private:
  struct Sequence {
    chimera_sequence handle = 0;
    int64_t number = 0; ///< Which of the batch: with the position it decides tokens and modes.
    int64_t position = 0;
    Fill fill;
  };
  /// What a run adds up; null members are not wanted.
  struct Totals {
    double seconds = 0;
    Cost cost;
    std::array<int64_t, 4> modes = {};
    std::vector<Cost> *launches = nullptr;
  };
  /// Part of one step: rows of one sequence, with the buffers that its item points to.
  struct Piece {
    Sequence *sequence;
    int64_t rows;
    bool last; ///< Of this sequence's work: its logits are wanted.
    std::vector<int32_t> tokens;
    std::vector<int8_t> forced;
  };

  Runner(const runtime::Manifest &manifest, const runtime::Variant &variant, const Options &options)
      : manifest(manifest), options(options), costs(manifest, variant) {}
  io::Result<std::vector<Sequence>> begin(int64_t batch);
  io::Result<std::vector<Sequence>> fork(const std::vector<Sequence> &sources);
  io::Status drop(const std::vector<Sequence> &sequences);
  io::Result<int64_t> cacheBytes(const std::vector<Sequence> &sequences) const;
  io::Status advance(std::vector<Sequence> &sequences, int64_t tokens, Totals &totals);
  Piece makePiece(Sequence &sequence, int64_t rows, bool last) const;
  io::Status step(std::vector<Piece> &pieces, Totals &totals);
  io::Status run(const Work &work, const std::vector<Sequence> &bases, Totals &totals, int64_t *bytes);
  io::Status measureRuns(const Work &work, const std::vector<Sequence> &bases, Measurement &result);
  io::Status profileRun(const Work &work, const std::vector<Sequence> &bases, Measurement &result);

  const runtime::Manifest &manifest;
  const Options &options;
  CostModel costs;
  std::optional<ForcedRouting> forced;
  SessionHandle session;
  std::vector<uint8_t> logits;
  std::vector<int8_t> routing;
};

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_WORKLOAD_H
