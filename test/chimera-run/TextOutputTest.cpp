// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/TextOutput.h"

#include <gtest/gtest.h>

using namespace chimera::run;

/// What `use` writes.
template <typename Use> static std::string written(Color color, Use use) {
  std::FILE *stream = std::tmpfile();
  {
    TextOutput out(stream, color);
    use(out);
    EXPECT_TRUE(out.close());
  }
  std::rewind(stream);
  std::string result;
  for (int c; (c = std::fgetc(stream)) != EOF;)
    result += char(c);
  std::fclose(stream);
  return result;
}

TEST(TextOutput, PassesBytesWhenNobodyLooks) {
  std::string bytes("a\0\x1b\xFF\xE2\x82", 6);
  for (Color color : {Color::Auto, Color::Never})
    EXPECT_EQ(written(color,
                      [&](TextOutput &out) {
                        out.legend(15);
                        for (char byte : bytes)
                          out.write(std::string(1, byte), 1);
                      }),
              bytes);
}

TEST(TextOutput, ACharacterIsColouredWhole) {
  // U+20AC comes in three bytes of three modes, then its first two bytes alone.
  EXPECT_EQ(written(Color::Always,
                    [](TextOutput &out) {
                      out.write("\xE2", 0);
                      out.write("\x82", 1);
                      out.write("\xAC", 2);
                      out.write("\xE2\x82", 3);
                      out.write("x", 1);
                      out.write("\xE2");
                    }),
            "\x1b[38;5;39m\xE2\x82\xAC\x1b[38;5;245m\\xe2\\x82\x1b[38;5;178mx\x1b[0m\\xe2");
}

TEST(TextOutput, ControlCharactersDoNotReachAReader) {
  EXPECT_EQ(written(Color::Always, [](TextOutput &out) { out.write("a\tb\n\r\x07\x1b[31m"); }),
            "a\tb\n\\x0d\\x07\\x1b[31m");
}

TEST(TextOutput, AColourIsSetOnceAndTurnedOffAtTheEnd) {
  EXPECT_EQ(written(Color::Always,
                    [](TextOutput &out) {
                      out.write("ab", 2);
                      out.write("c", 2);
                      out.write("d", 0);
                    }),
            "\x1b[38;5;203mabc\x1b[38;5;39md\x1b[0m");
}
