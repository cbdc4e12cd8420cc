// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a model is trained and evaluated on: numbered sequences of T tokens with a target for each.
#ifndef CHIMERA_RUNTIME_TRAIN_DATA_DATASET_H
#define CHIMERA_RUNTIME_TRAIN_DATA_DATASET_H

#include "runtime/io/Result.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace chimera::train {

/// What is learned from, and what is held out to measure.
enum class Split : uint8_t { Train, HeldOut };

/// What a position of a sequence is, for reports of routing.
enum class PositionClass : uint8_t { Other, Key, Value, Query, Filler };
inline constexpr int numPositionClasses = 5;

/// "other", "key", "value", "query" or "filler".
const char *positionClassName(PositionClass kind);

/// The target of a position whose prediction does not count.
inline constexpr int32_t ignoredTarget = -100;

/// Where a sequence is written: three arrays of T.
struct SequenceView {
  int32_t *tokens;        ///< Each in 0 .. vocabulary-1.
  int32_t *targets;       ///< The token to predict, or `ignoredTarget`.
  PositionClass *classes; ///< May be null.
};

/// A source of sequences. A sequence is a pure function of (seed, split, index): whoever asks, whenever, gets the same.
class Dataset {
public:
  virtual ~Dataset() = default;

  /// Writes sequence number `index`. Train: any index; files give each window once an epoch. Held out: 0 ..
  /// heldOutSequences()-1. Fails when a file cannot be read any more.
  virtual io::Status sequence(Split split, uint64_t index, SequenceView out) const = 0;

  /// How many different held-out sequences there are; 0: there is nothing to evaluate on.
  virtual uint64_t heldOutSequences() const = 0;
  /// Sequences of an epoch; 0: there are no epochs.
  virtual uint64_t trainSequences() const = 0;
  /// One line for the log: what it is and how much.
  virtual std::string description() const = 0;
  /// Whether positions have classes other than `Other`.
  virtual bool hasClasses() const = 0;
};

/// What to open.
struct DataOptions {
  std::string spec;       ///< The grammar is in docs/training.md.
  int64_t length = 0;     ///< T >= 1
  int64_t vocabulary = 0; ///< Of the model: ids are below it.
  uint64_t seed = 0;      ///< Of the generators, and of the order of windows.
  double heldOut = 0.05;  ///< The share of a file's windows, the last ones, that is held out; in [0, 1), 0: none.

  // Of texts.
  bool bytesAreTokens = false;                        ///< The user says so: see io/Vocabulary.h.
  std::vector<std::string> places = {};               ///< Where the model lies.
  std::function<void(const std::string &)> warn = {}; ///< Told, in one line, of files that look like something else.
  bool isNew = false; ///< The model is trained from nothing, so bytes are its tokens however many ids it has.
  /// Given the texts of a source, in their order, makes a file of token ids of them all, and says where it is. Empty:
  /// the bytes of a text are its tokens.
  std::function<io::Result<std::string>(const std::vector<std::string> &texts)> encode = {};
};

/// Opens a dataset. `spec` is
/// - `mqar`, `copy` or `needle`, with options: `mqar:pairs=8,queries=8`;
/// - otherwise file names and patterns, separated by commas: token ids in .npy files ([T] or [B, T], whole numbers), in
///   files with the header of llm.c and in those after `u16:` or `u32:`; any others are texts.
/// Errors name the option, or the file and the position in it.
io::Result<std::unique_ptr<Dataset>> openDataset(const DataOptions &options);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_DATA_DATASET_H
