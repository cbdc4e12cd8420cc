// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lines of a file, a pipe or a terminal, as they come.
#ifndef CHIMERA_TOOLS_CHIMERARUN_LINEREADER_H
#define CHIMERA_TOOLS_CHIMERARUN_LINEREADER_H

#include "runtime/io/Result.h"

#include <cstddef>
#include <memory>
#include <string>

namespace chimera::run {

/// Reads lines and holds no more than one of them and a few kilobytes after it.
class LineReader {
public:
  /// The longest line of --jsonl, without its newline.
  static constexpr size_t mostBytes = size_t(64) << 20;

  struct Line {
    std::string text; ///< Without the newline; empty if the line is too long.
    bool tooLong = false;
  };
  enum class State { Line, Later, End };

  /// Opens a file, a pipe or a device, or "-", the standard input. The error names it. Of lines of more than `most`
  /// bytes nothing is kept.
  static io::Result<std::unique_ptr<LineReader>> open(const std::string &path, size_t most = mostBytes);
  ~LineReader();
  LineReader(const LineReader &) = delete;
  LineReader &operator=(const LineReader &) = delete;

  /// The input in messages.
  const std::string &name() const { return shown; }
  /// Whether it is the regular file at `path`.
  bool reads(const std::string &path) const;

  /// Takes the next line; the last need not end in a newline. Later: it is not there yet, which never is so with
  /// `wait`.
  io::Result<State> next(Line &line, bool wait);

private:
  LineReader(int descriptor, std::string name, size_t most)
      : descriptor(descriptor), shown(std::move(name)), most(most) {}
  bool take(Line &line);
  io::Result<bool> fill(bool wait);

  int descriptor;
  std::string shown;
  size_t most;
  std::string held;   ///< From `begin` on: what was read and not taken.
  size_t begin = 0;   ///< Of the next line.
  size_t scanned = 0; ///< Before this place there is no newline.
  bool atEnd = false, skipping = false;
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_LINEREADER_H
