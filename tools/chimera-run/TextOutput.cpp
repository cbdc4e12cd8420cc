// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/TextOutput.h"

#include "runtime/abi/chimera.h"

#include <cstdlib>
#include <unistd.h>

namespace chimera::run {

/// The modes' colours (of the 256 of ECMA-48 terminals), in canonical order.
static constexpr const char *colourCodes[] = {"\x1b[38;5;39m", "\x1b[38;5;178m", "\x1b[38;5;203m", "\x1b[38;5;245m"};
static constexpr const char *modeNames[] = {"ssm", "swa", "full", "identity"};

TextOutput::TextOutput(std::FILE *stream, Color color) : stream(stream) {
  bool terminal = ::isatty(::fileno(stream)) != 0;
  const char *noColor = std::getenv("NO_COLOR");
  bool refused = noColor && *noColor;
  colours = color == Color::Always || (color == Color::Auto && terminal && !refused);
  plain = !terminal && !colours;
}

void TextOutput::legend(uint32_t modes) {
  if (!colours)
    return;
  std::string line = "modes:";
  for (int mode = 0; mode < CHIMERA_MODE_COUNT; ++mode)
    if (modes >> mode & 1)
      line += std::string(" ") + colourCodes[mode] + modeNames[mode] + resetCode;
  line += "\n";
  std::fwrite(line.data(), 1, line.size(), stream);
}

void TextOutput::emit(const std::string &text, int mode) {
  std::string out;
  int wanted = colours ? mode : -1;
  if (wanted != current)
    out = wanted >= 0 ? colourCodes[wanted] : resetCode;
  current = wanted;
  out += plain || text == "\n" || text == "\t" ? text : io::escaped(text);
  std::fwrite(out.data(), 1, out.size(), stream);
}

/// How many bytes the character takes that starts with `lead`; 1 for what starts none.
static size_t characterLength(uint8_t lead) {
  return lead >= 0xC2 && lead <= 0xDF ? 2 : (lead & 0xF0) == 0xE0 ? 3 : lead >= 0xF0 && lead <= 0xF4 ? 4 : 1;
}

void TextOutput::write(const std::string &bytes, int mode) {
  for (char byte : bytes) {
    bool continues = (uint8_t(byte) & 0xC0) == 0x80;
    if (!held.empty() && !continues) {
      emit(held, heldMode);
      held.clear();
    }
    if (held.empty())
      heldMode = mode;
    held += byte;
    if (held.size() >= characterLength(uint8_t(held[0]))) {
      emit(held, heldMode);
      held.clear();
    }
  }
}

io::Status TextOutput::close() {
  if (!held.empty())
    emit(held, heldMode);
  held.clear();
  if (current >= 0)
    std::fputs(resetCode, stream);
  current = -1;
  return tools::flush(stream);
}

} // namespace chimera::run
