# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the code of docs/python.md, top to bottom in one interpreter, and the example."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
import unittest

import support
from support import SOURCE

PAGE = SOURCE / "docs" / "python.md"


def blocks():
    """The indented blocks with the line that each begins at."""
    lines, found, at = PAGE.read_text().splitlines(), [], 0
    while at < len(lines):
        if not lines[at].startswith("    ") or (at and lines[at - 1].strip()):
            at += 1
            continue
        first = at
        while at < len(lines) and (lines[at].startswith("    ") or not lines[at].strip()):
            at += 1
        found.append((first + 1, textwrap.dedent("\n".join(lines[first:at])).strip()))
    return found


AVX2 = unittest.skipUnless(support.has_avx2(), "the cpu target needs AVX2")


class DocsTest(unittest.TestCase):
    @AVX2
    def test_the_page(self):
        shell = re.compile(r"^(pip|python3|export) |^import lm_eval, ")  # The harness is no package of Debian's.
        python = [(line, code) for line, code in blocks() if not shell.match(code)]
        self.assertGreater(len(python), 8)
        program = "".join(f"\n# docs/python.md:{line}\n{code}\n" for line, code in python)
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(SOURCE / "examples", pathlib.Path(folder) / "examples")
            result = subprocess.run([sys.executable, "-c", program], cwd=folder, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, encoding="utf-8")
        self.assertEqual(result.returncode, 0, result.stdout[-3000:])

    def test_every_public_name_is_on_the_page(self):
        import chimera
        page = PAGE.read_text()
        self.assertEqual([name for name in chimera.__all__ if not re.search(rf"\b{name}\b", page)], [])


class ExampleTest(unittest.TestCase):
    @AVX2
    def test_the_example(self):
        with tempfile.TemporaryDirectory() as folder:
            out = support.run(sys.executable, SOURCE / "examples" / "python" / "routing.py", "--model",
                              SOURCE / "examples" / "text", "--new-tokens", "20", "--out", folder).decode()
            self.assertIn("In those days", out)
            self.assertTrue((pathlib.Path(folder) / "routing.png").exists() or "python3-matplotlib" in out, out)


if __name__ == "__main__":
    unittest.main()
