# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of benchmarks have in common: their programs as modules, made-up results, and runs of their
programs."""

import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import unittest

SVG = "{http://www.w3.org/2000/svg}"


def script(folder, name):
    """A program of the folder as a module."""
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(folder, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


def made_up(folder):
    """The results in the folder's testdata."""
    with open(os.path.join(folder, "testdata", "results.json"), encoding="utf-8") as file:
        return json.load(file)


class RunTest(unittest.TestCase):
    """Tests of `run` and `report` in the folder HERE, whose results go to self.output in a folder of the test."""

    HERE = None

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.output = os.path.join(self.folder.name, "results.json")

    def script(self, name, *options):
        """What a program prints, which must end well."""
        done = subprocess.run([sys.executable, os.path.join(self.HERE, name), *options], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def stored(self):
        """The entries of the file of results."""
        with open(self.output, encoding="utf-8") as file:
            return json.load(file)["entries"]
