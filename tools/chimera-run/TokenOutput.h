// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// New tokens as an array in a file, or as lines of numbers.
#ifndef CHIMERA_TOOLS_CHIMERARUN_TOKENOUTPUT_H
#define CHIMERA_TOOLS_CHIMERARUN_TOKENOUTPUT_H

#include "runtime/io/Npy.h"

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace chimera::run {

/// An .npy file, int32 [sequences, width]: the new tokens of each sequence, -1 past the last of them. Move-only;
/// without `commit` nothing is left.
class TokenFile {
public:
  static io::Result<TokenFile> create(const std::string &path, int64_t sequences, int64_t width);

  /// Writes one sequence's row, once: at most `width` tokens.
  io::Status write(int64_t sequence, const std::vector<int32_t> &tokens);

  /// Completes the file; every row must have been written.
  io::Status commit() { return writer.commit(); }

private:
  TokenFile(io::NpyWriter writer, int64_t width) : writer(std::move(writer)), width(width) {}

  io::NpyWriter writer;
  int64_t width;
};

/// A line of numbers with spaces between for each sequence, in the order of the sequences. A token is printed as soon
/// as all that comes before it is.
class TokenLines {
public:
  TokenLines(std::FILE *stream, int64_t sequences) : stream(stream), rows(size_t(sequences)) {}

  /// A new token of a sequence, whose end was not announced yet. The error: something could not be written.
  io::Status write(int64_t sequence, int32_t token);
  io::Status end(int64_t sequence);

private:
  struct Row {
    std::vector<int32_t> tokens; ///< Those that wait.
    bool begun = false, ended = false;
  };

  io::Status print();

  std::FILE *stream;
  std::vector<Row> rows;
  size_t current = 0; ///< The first row that is not complete.
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_TOKENOUTPUT_H
