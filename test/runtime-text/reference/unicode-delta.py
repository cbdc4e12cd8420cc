#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes runtime/text/UnicodeDelta.inc: what the reference library takes code points for, where that differs from
PCRE2 (properties) or utf8proc (everything else) of this machine.

  unicode-delta.py probe.json > UnicodeDelta.inc      (probe.json: see unicode-probe.js)
"""
import json
import subprocess
import sys
import tempfile

SCRIPTS = ("Han Hiragana Katakana Hangul Latin Cyrillic Greek Arabic Hebrew Thai Lao Khmer Myanmar Tibetan Devanagari "
           "Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Georgian Armenian Ethiopic Mongolian "
           "Bopomofo Common Inherited").split()

# Prints for each property a line of the ranges that PCRE2 has; then utf8proc's categories and lower case.
LIBRARIES = r"""
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>
#include <cstdio>
int main(int count, char **names) {
  char version[64];
  pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, version);
  std::printf("%s %s\n", version, utf8proc_unicode_version());
  for (int i = 1; i < count; ++i) {
    int code;
    PCRE2_SIZE at;
    pcre2_code *regex = pcre2_compile((PCRE2_SPTR)names[i], PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &code, &at, 0);
    pcre2_match_data *data = pcre2_match_data_create(1, 0);
    for (int c = 0; c < 0x110000; ++c) {
      unsigned char bytes[4];
      if (c >= 0xD800 && c < 0xE000) continue;
      long length = utf8proc_encode_char(c, bytes);
      if (pcre2_match(regex, bytes, length, 0, 0, data, 0) >= 0) std::printf("%d ", c);
    }
    std::printf("\n");
  }
  for (int c = 0; c < 0x110000; ++c) std::printf("%s ", utf8proc_category_string(c));
  std::printf("\n");
  for (int c = 0; c < 0x110000; ++c) if (utf8proc_tolower(c) != c) std::printf("%d %d ", c, utf8proc_tolower(c));
  std::printf("\n");
}
"""


def points(ranges):
    return {c for begin, end in ranges for c in range(begin, end + 1)}


def ranges(some):
    out = []
    for c in sorted(some):
        if out and out[-1][1] + 1 == c:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def rows(items):
    line = " "
    for item in items:
        if len(line) + len(item) + 2 > 118:
            print(line)
            line = " "
        line += " " + item + ","
    if line.strip():
        print(line)


def table(name, some):
    print(f"static constexpr Range {name}[] = {{")
    rows("{0x%x, 0x%x}" % tuple(r) for r in ranges(some))
    print("};")


def main():
    probe = json.load(open(sys.argv[1]))
    names = list(probe["properties"])
    with tempfile.TemporaryDirectory() as folder:
        open(folder + "/a.cpp", "w").write(LIBRARIES)
        subprocess.run(["c++", "-O1", "-o", folder + "/a", folder + "/a.cpp", "-lpcre2-8", "-lutf8proc"], check=True)
        patterns = ["\\p{" + ("sc:" if n in SCRIPTS else "") + n + "}" for n in names]
        out = subprocess.run([folder + "/a"] + patterns, check=True, capture_output=True, text=True).stdout.split("\n")
    version = out[0].split()
    category = out[1 + len(names)].split()
    words = [int(x) for x in out[2 + len(names)].split()]
    lower = dict(zip(words[::2], words[1::2]))
    scalar = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]

    print("// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception")
    print("// Written by test/runtime-text/reference/unicode-delta.py: npm package tokenizers 0.23.2 against PCRE2 with")
    print(f"// Unicode {version[0]} and utf8proc with Unicode {version[1]}.")
    entries = []
    for i, name in enumerate(names):
        theirs, ours = points(probe["properties"][name]), {int(c) for c in out[1 + i].split()}
        parts = []
        for kind, some in (("Added", theirs - ours), ("Removed", ours - theirs)):
            if some:
                table(name + kind, some)
            parts.append(f"span({name}{kind})" if some else "{}")
        entries.append(f'    {{"{name}", {"true" if name in SCRIPTS else "false"}, {parts[0]}, {parts[1]}}},')
    print("static constexpr Property properties[] = {")
    print("\n".join(entries))
    print("};")

    def of(*major):
        return {c for c in scalar if category[c] in major}

    known = {"Punctuation": (points(probe["punctuation"]) - set(range(128)),
                             of("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po") - set(range(128))),
             "Numeric": (points(probe["numeric"]), of("Nd", "Nl", "No")),
             "Mark": (points(probe["mark"]), of("Mn", "Mc", "Me"))}
    for name, (theirs, ours) in known.items():
        table("not" + name, ours - theirs or {0x10FFFF})
        table("also" + name, theirs - ours or {0x10FFFF})
    table("inert", points(probe["inert"]))
    print("static constexpr Range lowered[] = {")
    rows("{0x%x, 0x%x}" % (c, s[0]) for c, s in probe["lower"] if len(s) == 1 and lower.get(c) != s[0])
    print("};")
    for c, s in probe["lower"]:
        if len(s) > 1:
            assert (c, s) == (0x130, [0x69, 0x307]), "another character with more than one in lower case"
    assert not set(lower) - {c for c, _ in probe["lower"]}, "utf8proc lowers what the reference does not"
    word = points(probe["word"])
    alphabetic = set().union(*(points(probe["properties"][p]) for p in ("Alphabetic", "M", "Nd", "Pc")))
    assert word == alphabetic | {0x200C, 0x200D}, ranges(word ^ alphabetic)
    marks = {0xB2, 0xB3, 0xB9, 0xBC, 0xBD, 0xBE}
    for name, extra in (("\\w", marks), ("[\\w]", probe.get("wordExtra", marks)), ("[[:word:]]", set())):
        got = points(probe[name])
        if got != alphabetic | set(extra):
            print(f"{name}: {ranges(got ^ (alphabetic | set(extra)))}", file=sys.stderr)


main()
