// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokens from files, cut into windows.
#ifndef CHIMERA_RUNTIME_TRAIN_DATA_STREAMS_H
#define CHIMERA_RUNTIME_TRAIN_DATA_STREAMS_H

#include "runtime/io/MappedFile.h"
#include "runtime/io/Npy.h"
#include "runtime/train/data/Dataset.h"

#include <string>
#include <variant>
#include <vector>

namespace chimera::train {

/// The tokens of one file: rows of equal length, all ids checked.
class TokenFile {
public:
  /// Opens a file: .npy arrays [T] or [B, T] of int32 or int64; of any other file the bytes. Errors: unreadable,
  /// another dtype or rank, an id outside 0 .. vocabulary-1 (file, position, id).
  static io::Result<TokenFile> open(const std::string &path, int64_t vocabulary);

  int64_t rows() const { return rowCount; }
  int64_t rowLength() const { return length; }
  int32_t token(int64_t row, int64_t at) const {
    if (const auto *bytes = std::get_if<io::MappedFile>(&content))
      return bytes->data()[at];
    return int32_t(std::get<io::NpyArray>(content).integer(row * length + at));
  }

private:
  TokenFile(io::MappedFile file) : content(std::move(file)) {}
  TokenFile(io::NpyArray array) : content(std::move(array)) {}

  std::variant<io::MappedFile, io::NpyArray> content;
  int64_t rowCount = 1, length = 0;
};

/// Windows of T+1 tokens of the rows of files, the target of each token the one that follows. Windows of a row begin T
/// apart, so that each token is a target once. The last share of all windows is held out. Those of training come in an
/// order of their own in every epoch (Permutation.h).
class Streams : public Dataset {
public:
  /// Errors: those of TokenFile, and fewer than two windows.
  static io::Result<std::unique_ptr<Dataset>> open(const std::vector<std::string> &paths, const DataOptions &options);

  void sequence(Split split, uint64_t index, SequenceView out) const override;
  uint64_t heldOutSequences() const override { return heldOut; }
  uint64_t trainSequences() const override { return windows - heldOut; }
  std::string description() const override;
  bool hasClasses() const override { return false; }

private:
  struct Part {
    TokenFile file;
    uint64_t firstWindow;
    uint64_t windowsOfRow;
  };

  Streams() = default;

  std::vector<Part> parts;
  int64_t length = 0;
  uint64_t seed = 0, windows = 0, heldOut = 0;
  int64_t tokens = 0;
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_DATA_STREAMS_H
