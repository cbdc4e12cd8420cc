// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Printing tokens as text, coloured by mode.
#ifndef CHIMERA_TOOLS_CHIMERARUN_TEXTOUTPUT_H
#define CHIMERA_TOOLS_CHIMERARUN_TEXTOUTPUT_H

#include "tools/chimera-run/Options.h"
#include "tools/support/Streams.h"

#include <cstdint>
#include <cstdio>
#include <string>

namespace chimera::run {

/// Turns colours off, in ECMA-48 terminals.
inline constexpr const char *resetCode = "\x1b[0m";

/// Writes bytes to a stream as they come. For a reader's eyes (a terminal, or
/// colours wanted) a control character or a byte that is not UTF-8 is shown as
/// \xNN, so that no text steers the terminal; otherwise bytes pass unchanged.
class TextOutput {
public:
  TextOutput(std::FILE *stream, Color color);
  /// Closes, so that no colour outlives a failure.
  ~TextOutput() { (void)close(); }
  TextOutput(const TextOutput &) = delete;
  TextOutput &operator=(const TextOutput &) = delete;

  bool coloured() const { return colours; }

  /// A line that names the modes of `modes` (bits) in their colours; nothing without colours.
  void legend(uint32_t modes);

  /// Writes bytes in the colour of `mode` (canonical index), or plain for -1. A character whose bytes come one by one
  /// has the colour of its first.
  void write(const std::string &bytes, int mode = -1);

  /// Shows what is complete; the first bytes of a character wait for the others. The error as `close`.
  io::Status flushComplete() { return tools::flush(stream); }

  /// Writes what is held back, turns colours off and flushes. The error: something could not be written.
  io::Status close();

private:
  void emit(const std::string &text, int mode);

  std::FILE *stream;
  bool colours, plain;
  std::string held; ///< The first bytes of a character.
  int heldMode = -1;
  int current = -1; ///< The mode whose colour is on.
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_TEXTOUTPUT_H
