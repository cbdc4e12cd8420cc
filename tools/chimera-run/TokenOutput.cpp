// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/TokenOutput.h"

#include "tools/support/Streams.h"

#include <algorithm>

namespace chimera::run {

using io::Result;
using io::Status;

Result<TokenFile> TokenFile::create(const std::string &path, int64_t sequences, int64_t width) {
  Result<io::NpyWriter> writer = io::NpyWriter::create(path, io::DType::I32, {sequences, width});
  if (!writer)
    return writer.error();
  return TokenFile(std::move(*writer), width);
}

Status TokenFile::write(int64_t sequence, const std::vector<int32_t> &tokens) {
  auto count = int64_t(tokens.size());
  if (Status status = writer.write(sequence * width, tokens.data(), count); !status)
    return status;
  // In pieces: a width that nobody meant to be reached may be large.
  constexpr int64_t piece = int64_t(1) << 16;
  std::vector<int32_t> padding(size_t(std::min(width - count, piece)), -1);
  for (int64_t left; (left = width - count) > 0; count += std::min(left, piece))
    if (Status status = writer.write(sequence * width + count, padding.data(), std::min(left, piece)); !status)
      return status;
  return {};
}

Status TokenLines::write(int64_t sequence, int32_t token) {
  rows[size_t(sequence)].tokens.push_back(token);
  return size_t(sequence) == current ? print() : Status();
}

Status TokenLines::end(int64_t sequence) {
  rows[size_t(sequence)].ended = true;
  return size_t(sequence) == current ? print() : Status();
}

/// Prints what there is of the current row, and of those after it as far as each is complete.
Status TokenLines::print() {
  for (; current < rows.size(); ++current) {
    Row &row = rows[current];
    for (int32_t token : row.tokens) {
      std::fprintf(stream, row.begun ? " %d" : "%d", token);
      row.begun = true;
    }
    row.tokens = {};
    if (!row.ended)
      break;
    std::fputc('\n', stream);
  }
  return tools::flush(stream);
}

} // namespace chimera::run
