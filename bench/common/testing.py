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
import xml.etree.ElementTree

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


def entry(kind, contender, seed=0, **more):
    """A made-up entry of a contest's file of results."""
    return {"kind": kind, "contender": contender, "seed": seed, "date": "2026-01-02 03:04:05", "commit": "abc1234",
            "cpu": "Test CPU <&>", "threads": 2, **more}


def of_machine(*entries):
    """The file's content."""
    return {"machine": {"cores": 2, "memory_bytes": 2**33, "kernel": "6.1", "features": ["avx2"]},
            "entries": list(entries)}


def drawn(text):
    """A figure's root, and what has a title in it: {title: element}. It must be XML."""
    root = xml.etree.ElementTree.fromstring(text)
    return root, {one.find(SVG + "title").text: one for one in root.iter() if one.find(SVG + "title") is not None
                  and one is not root}


class RunTest(unittest.TestCase):
    """Tests of `run` and `report` in the folder HERE, whose results go to self.output in a folder of the test."""

    HERE = None

    def text(self):
        """The path of a text: the pages of docs/."""
        path, docs = os.path.join(self.folder.name, "text.txt"), os.path.join(self.HERE, "..", "..", "docs")
        with open(path, "wb") as out:
            for name in sorted(os.listdir(docs)):
                if name.endswith(".md"):
                    with open(os.path.join(docs, name), "rb") as file:
                        out.write(file.read())
        return path

    def refused(self, name, *options):
        """The only line that a program says, on stderr, when it ends with status 1."""
        done = subprocess.run([sys.executable, os.path.join(self.HERE, name), *options], capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)
        return done.stderr

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

    def entries(self, kind):
        return [one for one in self.stored() if one["kind"] == kind]
