# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of benchmarks have in common: their programs as modules, and made-up results."""

import importlib.machinery
import importlib.util
import json
import os

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
