// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokens from files, cut into windows.
#ifndef CHIMERA_RUNTIME_TRAIN_DATA_STREAMS_H
#define CHIMERA_RUNTIME_TRAIN_DATA_STREAMS_H

#include "runtime/io/Npy.h"
#include "runtime/train/data/Dataset.h"
#include "runtime/train/data/FileNames.h"

#include <string>
#include <vector>

namespace chimera::train {

/// The files that hold text: neither .npy nor ids of two or four bytes. Errors: a file that is evidently something
/// else, such as an archive; a .bin that does not say how wide its ids are.
io::Result<std::vector<std::string>> textsAmong(const std::vector<DataFile> &files);

/// The tokens of one file: rows of equal length, all ids checked when it was opened. They stay in the file.
class TokenFile {
public:
  /// Opens a file: .npy arrays [T] or [B, T] of whole numbers; ids of two or four bytes (TokenBin.h); of any other file
  /// the bytes. Errors: unreadable, another dtype or rank, an id outside the vocabulary (file, position, id); a file
  /// that is no text but an archive, a pointer of Git LFS or the like; bytes, where they are not the model's tokens
  /// (io/Vocabulary.h).
  static io::Result<TokenFile> open(const DataFile &file, const DataOptions &options);

  int64_t rows() const { return rowCount; }
  int64_t rowLength() const { return length; }
  /// Writes `count` tokens of a row from `at` on. Fails when the file was cut or changed.
  io::Status read(int64_t row, int64_t at, int64_t count, int32_t *out) const;
  /// One file of many: see io::File.
  void release() { array.file.release(); }

private:
  explicit TokenFile(io::NpyFile array) : array(std::move(array)) {}
  io::Status check() const;

  io::NpyFile array; ///< Bytes are an array of u8.
  int64_t vocabulary = 0, rowCount = 1, length = 0;
};

/// Windows of T+1 tokens of the rows of files, the target of each token the one that follows. Windows of a row begin T
/// apart, so that each token is a target once. Texts that are encoded are one row, in the place of the first of them.
/// The last share of all windows is held out. Those of training come in an
/// order of their own in every epoch (Permutation.h).
class Streams : public Dataset {
public:
  /// Errors: those of TokenFile, and too few windows: two, or one if none is held out.
  static io::Result<std::unique_ptr<Dataset>> open(const std::vector<DataFile> &files, const DataOptions &options);

  io::Status sequence(Split split, uint64_t index, SequenceView out) const override;
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
