// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files of token ids of two or four bytes each: raw, as nanoGPT writes them, or behind the header of llm.c.
#ifndef CHIMERA_RUNTIME_TRAIN_DATA_TOKENBIN_H
#define CHIMERA_RUNTIME_TRAIN_DATA_TOKENBIN_H

#include "runtime/io/AtomicFile.h"
#include "runtime/io/Npy.h"
#include "runtime/train/data/FileNames.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace chimera::train {

/// Whether a file has the header of llm.c. Errors: those of openTokenBin about the header.
io::Result<bool> hasTokenHeader(const io::File &file);

/// The ids in `file` as an array. `form` says how wide they are, or, ByName, leaves that to the header: then a file
/// without one gives nothing. Errors: a version of the header that is not known, a form that contradicts the header, a
/// size that does not match, ids too narrow for the model's vocabulary.
io::Result<std::optional<io::NpyFile>> openTokenBin(io::File &file, FileForm form, int64_t vocabulary);

/// Whether ids of two bytes each look like ids of four: every second one of the first is 0.
io::Result<bool> looksTwiceAsWide(const io::NpyFile &ids);

/// A file with the header of llm.c that is written in parts. Move-only; without `commit` nothing is left.
class TokenBinWriter {
public:
  /// Ids of two bytes where `vocabulary` allows it, else of four.
  static io::Result<TokenBinWriter> create(const std::string &path, int64_t vocabulary);

  /// Appends ids, each in 0 .. vocabulary-1. The error: the header cannot count so many.
  io::Status append(const std::vector<int32_t> &ids);
  /// Completes the file.
  io::Status commit();

private:
  TokenBinWriter(std::string path, io::AtomicFile file, bool narrow)
      : path(std::move(path)), file(std::move(file)), narrow(narrow) {}

  std::string path;
  io::AtomicFile file;
  bool narrow; ///< Ids of two bytes.
  uint64_t count = 0;
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_DATA_TOKENBIN_H
