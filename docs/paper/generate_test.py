# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""docs/paper/generate: what is committed is of the results in the repository, tables grow with results, sentences that
results do not bear out are told, and so is what is stale. Needs no LaTeX."""

import copy
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "bench", "common")]
import sources  # noqa: E402
import fiveways  # noqa: E402
import latex  # noqa: E402
import longcontext  # noqa: E402
from testing import script  # noqa: E402

generate = script(HERE, "generate")


def rows(tabular):
    """The cells of a tabular's rows, heads included."""
    return [[cell.strip() for cell in line[:-2].split("&")] for line in tabular.splitlines() if line.endswith(r"\\")]


class Committed(unittest.TestCase):
    def test_the_generated_files_are_of_the_results(self):
        done = subprocess.run([os.path.join(HERE, "generate"), "--check"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_every_input_and_every_macro_is_there(self):
        folders = [os.path.join(HERE, name) for name in ("", "sections", "figures")]
        text = "".join(sources.read(folder, name) for folder in folders for name in sorted(os.listdir(folder))
                       if name.endswith(".tex"))
        wanted = generate.committed()
        used = set(re.findall(r"\\input\{generated/([\w-]+)\}", text))
        self.assertEqual(used, wanted.keys())
        defined = set(re.findall(r"\\newcommand\{\\(\w+)\}", wanted["numbers"]))
        self.assertEqual(defined - set(re.findall(r"\\([A-Za-z]+)", text)), set())
        cited = {key.strip() for keys in re.findall(r"\\cite\{([^}]*)\}", text) for key in keys.split(",")}
        self.assertEqual(cited, set(re.findall(r"^@\w+\{(\w+),", sources.read(HERE, "references.bib"), re.M)))

    def test_the_pdf_is_small(self):
        self.assertLess(os.path.getsize(generate.PDF), 1_000_000)


class Growing(unittest.TestCase):
    def setUp(self):
        self.data = json.loads(sources.read(sources.HEADLINE))

    def results(self):
        return sources.headline(json.dumps(self.data))

    def grow(self, contender, seed, like="dense"):
        for entry in copy.deepcopy([one for one in self.data["entries"]
                                    if one["contender"] == like and one["seed"] == 0 and one["kind"] != "speed"]):
            self.data["entries"].append(entry | {"contender": contender, "seed": seed})

    def test_a_new_seed_and_a_new_contender_are_shown(self):
        before = rows(longcontext.recall_table(self.results()))
        self.grow("dense", 7)
        self.grow("ssm", 0)
        after = rows(longcontext.recall_table(self.results()))
        self.assertEqual(len(after), len(before) + 2)
        self.assertIn(["dense", "7"], [row[:2] for row in after])
        self.assertIn(["Mamba-2", "0"], [row[:2] for row in after])
        self.assertIn("Mamba-2", rows(longcontext.memory_table(self.results()))[0])
        self.assertIn("three seeds", longcontext.numbers(self.results())["LongSeedsDense"])
        self.assertIn("color=cssm", longcontext.recall_plot(self.results()))

    def test_differences_are_of_one_seed(self):
        context = {"seq": 4096, "pairs": 512}
        for entry in self.data["entries"]:
            if entry["kind"] == "recall" and all(entry[name] == value for name, value in context.items()):
                entry["right"] = {("dense", 0): 1000, ("chimera", 0): 1024, ("dense", 1): 1024,
                                  ("chimera", 1): 1014}.get((entry["contender"], entry["seed"]), 1024)
        found = longcontext.differences(self.results(), context)
        self.assertEqual([round(one, 3) for one in found[:2]], [round(2400 / 1024, 3), round(-1000 / 1024, 3)])

    def test_a_sentence_that_does_not_hold_is_told(self):
        pages = [sources.Page(name) for name in ("mqar.md", "performance.md", "training.md")]
        generate.files(self.results(), *pages)
        entry = next(one for one in self.data["entries"] if one["kind"] == "recall" and one["contender"] == "dense")
        entry["entries_by_layer"][1] -= 1
        with self.assertRaisesRegex(ValueError, "dense lists every token"):
            generate.files(self.results(), *pages)

    def test_a_lost_answer_of_the_five_ways_is_told(self):
        text = sources.read("docs", "mqar.md").replace("| 64 | chimera | 3 | 100.00 %", "| 64 | chimera | 3 | 98.50 %")
        page = sources.Page("mqar.md", text)
        self.assertIn(["64", "routed", "100", "100", "100", "98.50", "100"],
                      [row[:7] for row in rows(fiveways.seeds_table(page))])
        self.assertIn("answers every question", [sentence for sentence, holds in fiveways.claims(page) if not holds][0])


class Stale(unittest.TestCase):
    def test_what_is_missing_other_or_too_much(self):
        with tempfile.TemporaryDirectory() as folder:
            wanted = {"a": "one\n", "b": "two\n"}
            self.assertEqual(generate.stale(wanted, folder), ["a.tex", "b.tex"])
            generate.write(wanted, folder)
            self.assertEqual(generate.stale(wanted, folder), [])
            self.assertEqual(generate.stale({"a": "one\n", "b": "three\n"}, folder), ["b.tex"])
            generate.write({"a": "one\n"}, folder)
            self.assertEqual(os.listdir(folder), ["a.tex"])

    def test_tables_that_are_not_there(self):
        page = sources.Page("x.md", "<!-- begin one -->\n| a | b |\n|---|---|\n| 1 |\n<!-- end one -->\n")
        for name, message in (("one", "other columns"), ("two", "docs/x.md: no table two")):
            with self.assertRaisesRegex(ValueError, message):
                page.table(name)


class Text(unittest.TestCase):
    def test_cells(self):
        self.assertEqual(latex.cell("97.6 % (96.7 % - 98.0 %) `a_b`"),
                         r"97.6\,\% (96.7\,\%--98.0\,\%) \texttt{a\_b}")
        self.assertEqual(latex.whole(1234567), r"1\,234\,567")
        self.assertEqual(latex.listed(["a", "b", "c"]), "a, b and c")
        self.assertEqual([latex.counted(n, "seed") for n in (1, 2, 12)], ["one seed", "two seeds", "12 seeds"])
        self.assertEqual([latex.percent(value) for value in (100, 99.999, 99.9)], ["100", "100.00", "99.90"])
        with self.assertRaisesRegex(ValueError, "A1"):
            latex.macros({"A1": 2})


if __name__ == "__main__":
    unittest.main()
