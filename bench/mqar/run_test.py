# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs bench/mqar/run --quick for two contenders with the programs of a build, whose folder is the argument: trained,
measured, stored, not made twice, and shown by the report."""

import os
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = sys.argv.pop() if len(sys.argv) > 1 else os.path.join(HERE, "..", "..", "build", "release", "bin")
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "common"))
from testing import RunTest  # noqa: E402


class Quick(RunTest):
    HERE = HERE

    def quick(self, *options):
        return self.script("run", "--quick", "--contenders", "dense,chimera", "--threads", "1", "--bin", PROGRAMS,
                           "--output", self.output, *options)

    def test_it_trains_measures_and_reports(self):
        self.quick()
        dense, chimera = self.stored()
        for entry in (dense, chimera):
            self.assertEqual(entry["status"], "ok", entry.get("message"))
            self.assertTrue(0 <= entry["hard"] <= 1)
            self.assertEqual(entry["settings"]["steps"], 2)
        self.assertEqual((dense["entries"], dense["compiled"]["entries"]), (32, 32))
        self.assertEqual({one["positions"] for one in chimera["classes"]}, {"key", "value", "query", "filler"})
        self.assertEqual(dense["compiled"]["needed"]["list"], 32 * dense["compiled"]["entry_bytes"])

        self.assertEqual(self.quick().count("in the file already"), 2)
        self.assertEqual(self.stored(), [dense, chimera])

        self.quick("--decode", "--rounds", "1")
        speeds = [entry for entry in self.stored() if entry["kind"] == "decode"]
        self.assertEqual(len(speeds), 2)
        for entry in speeds:
            for work in ("bench", "task"):
                self.assertTrue(all(speed > 0 for speed in entry["rounds"][0][work].values()))
                self.assertEqual(set(entry["rounds"][0][work]), {"1", "16"})

        text = self.script("report", "--results", self.output, "--figures", self.folder.name)
        self.assertEqual(text, "")
        self.assertIn("| 16 | chimera | 0 |", self.script("report", "--results", self.output))


if __name__ == "__main__":
    unittest.main()
