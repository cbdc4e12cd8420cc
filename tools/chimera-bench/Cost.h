// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The bytes and floating-point operations that a step needs, from the launch table and the measured routing.
// docs/benchmarking.md states the model of counting.
#ifndef CHIMERA_TOOLS_CHIMERABENCH_COST_H
#define CHIMERA_TOOLS_CHIMERABENCH_COST_H

#include "runtime/core/Manifest.h"

#include <cstdint>
#include <vector>

namespace chimera::bench {

/// What a piece of work needs. Doubles: exact up to 2^53, and no sum overflows.
struct Cost {
  double matrixFlops = 0;    ///< 2 for each weight of a matrix or convolution and row.
  double attentionFlops = 0; ///< 4 * heads * head size for each query and entry it sees.
  double scanFlops = 0;      ///< 5 for each element of a recurrent state and row.
  double parameterBytes = 0;
  double cacheReadBytes = 0;
  double cacheWriteBytes = 0;

  double flops() const { return matrixFlops + attentionFlops + scanFlops; }
  double bytes() const { return parameterBytes + cacheReadBytes + cacheWriteBytes; }
  Cost &operator+=(const Cost &other);
};

/// The entries of a sequence's rings and lists, by index of the manifest's caches: entries ever written.
struct Fill {
  std::vector<int64_t> entries;
};

/// The part of one sequence in a step.
struct SequenceRows {
  const int8_t *routing = nullptr; ///< [rows][layers], the admitted modes.
  int64_t rows = 0;
  int64_t outputs = 0;  ///< Rows whose logits are wanted.
  Fill *fill = nullptr; ///< What its caches hold before the step; brought up to date.
};

/// Which rows of a step a launch or a cache is about.
enum class RowSet : uint8_t { Ssm, Swa, Full, Identity, All, Outputs };

/// Counts the cost of steps of one model. The arguments must outlive it.
class CostModel {
public:
  /// `variant`: the one that runs.
  CostModel(const runtime::Manifest &manifest, const runtime::Variant &variant);

  /// What `Fill` a new sequence has.
  Fill emptyFill() const { return Fill{std::vector<int64_t>(manifest.caches.size(), 0)}; }

  /// The cost of one step of the runtime, in which each parameter and each cache is counted once, however many
  /// launches use it. `launches`, unless null, has an element a launch (prefill's, then decode's), to which is added
  /// what that launch alone needs.
  Cost step(const std::vector<SequenceRows> &sequences, std::vector<Cost> *launches = nullptr) const;

  /// The bytes of all weights that launches read as a whole, each once: what a step reads in which every mode has rows.
  double weightBytes() const;

  /// The launches of both phases.
  size_t launchCount() const { return prefill.size() + decode.size(); }

private:
  /// What is to be counted of a launch.
  struct Launch {
    int64_t layer = -1;
    RowSet rows = RowSet::All;
    double share = 1;     ///< Of those rows, on the average, that are the launch's: less than all for an expert's.
    bool looksUp = false; ///< Reads a row of its parameter for each of its rows: the embedding.
    std::vector<size_t> parameters;
    std::vector<size_t> packed;
    std::vector<size_t> reads;  ///< Rings and lists, as indices of caches.
    std::vector<size_t> writes; ///< Likewise.
    std::vector<size_t> states; ///< Pools of tails, states and counts.
    std::vector<size_t> scans;  ///< Those of them that hold a recurrent state.

    /// How likely the launch has any of so many rows.
    double hasRows(int64_t among) const;
  };
  struct Counter;

  std::vector<Launch> plan(const runtime::Phase &phase) const;
  void addBuffer(Launch &launch, const std::string &op, const runtime::Buffer &buffer) const;
  void findWriters(const std::vector<Launch> &launches);
  bool runsDecode(const std::vector<SequenceRows> &sequences) const;
  int64_t count(const SequenceRows &sequence, int64_t layer, RowSet set) const;
  int64_t pairs(const SequenceRows &sequence, size_t cache, int64_t layer, RowSet queries) const;
  double entryBytes(size_t cache) const;
  bool isRing(size_t cache) const { return manifest.caches[cache].kind == runtime::CacheKind::Ring; }
  void addParameters(const Launch &launch, int64_t rows, Counter &counter) const;
  void addPacked(const Launch &launch, int64_t rows, Counter &counter) const;
  void addCaches(const Launch &launch, const SequenceRows &sequence, Counter &counter) const;

  const runtime::Manifest &manifest;
  const runtime::Variant &variant;
  std::vector<Launch> prefill, decode;
  std::vector<RowSet> writers; ///< Of each cache: the rows that it gets.
};

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_COST_H
