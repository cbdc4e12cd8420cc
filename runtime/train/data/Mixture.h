// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Several sources of sequences, each with its share.
#ifndef CHIMERA_RUNTIME_TRAIN_DATA_MIXTURE_H
#define CHIMERA_RUNTIME_TRAIN_DATA_MIXTURE_H

#include "runtime/train/data/Dataset.h"
#include "runtime/train/data/FileNames.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace chimera::train {

/// A source as it is written: `0.7@web/*.txt`; without a weight it has 1.
struct SourceSpec {
  double weight = 1;
  std::string spec; ///< As openDataset takes it.

  /// The error: a weight that is no number above 0.
  static io::Result<SourceSpec> parse(const std::string &text);
  /// As it is written.
  std::string text() const;
  bool isGenerated() const;
  /// The files of a source that is not generated; of one that is, none.
  io::Result<std::vector<DataFile>> files() const;
};

/// Takes each sequence from one of its sources. In every block of `block` sequences each source has the same number of
/// them, in proportion to its weight, at places that a permutation computed from the seed and the block's number gives
/// it (Permutation.h). So a sequence is a pure function of (seed, index), and each source is gone through in its own
/// order. A single source has all of them in its own order.
class Mixture {
public:
  struct Source {
    SourceSpec spec;
    uint64_t quota; ///< Sequences of a block.
    std::unique_ptr<Dataset> data;
  };
  static constexpr uint64_t block = uint64_t(1) << 16;

  /// Opens all sources, `options` but for the spec and, after the first, the seed. Errors: those of openDataset; a
  /// weight that gives less than one sequence of a block.
  static io::Result<std::unique_ptr<Mixture>> open(const std::vector<SourceSpec> &specs, DataOptions options);

  /// Writes sequence number `index` to train on. Fails when a file cannot be read any more.
  io::Status train(uint64_t index, SequenceView out) const;

  const std::vector<Source> &sources() const { return list; }
  /// The held-out sequences 0 .. n-1 of each source that stand for `wanted` of the mixture: in proportion, at least one
  /// and no more than there are.
  std::vector<int64_t> heldOut(int64_t wanted) const;
  bool hasHeldOut() const;
  bool hasClasses() const;
  /// One line for the log: what it is and how much.
  std::string description() const;

private:
  Mixture() = default;

  std::vector<Source> list;
  uint64_t seed = 0;
};

/// Cuts `total` in proportion to the weights: by the largest remainders, the first of equal ones.
std::vector<uint64_t> apportion(uint64_t total, const std::vector<double> &weights);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_DATA_MIXTURE_H
