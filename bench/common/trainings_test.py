# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the file of results and which trainings are made again."""

import os
import subprocess
import sys
import tempfile
import types
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from store import Store, only_one  # noqa: E402
from trainings import Comparison, digest  # noqa: E402


class Stored(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.store = Store(os.path.join(self.folder.name, "results.json"), ("size", "contender", "seed"))

    def entry(self, seed, value):
        return {"kind": "training", "size": 64, "contender": "dense", "seed": seed, "value": value}

    def test_an_entry_takes_the_place_of_its_own_alone(self):
        self.store.add(self.entry(0, "old"))
        self.store.add(self.entry(1, "other"))
        self.store.add(self.entry(0, "new"), dict(self.entry(0, "speed"), kind="decode"))
        self.assertEqual(self.store.find("training", size=64, contender="dense", seed=0)["value"], "new")
        self.assertEqual(self.store.find("training", size=64, contender="dense", seed=1)["value"], "other")
        self.assertEqual(len(self.store.load()["entries"]), 3)
        self.assertIsNone(self.store.find("training", size=128, contender="dense", seed=0))

    def test_two_programs_do_not_make_the_same_run(self):
        path = os.path.join(self.folder.name, "x.lock")
        with only_one(path) as first, only_one(path) as second:
            self.assertIsNotNone(first)
            self.assertIsNone(second)
            child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(first,))
        with only_one(path) as while_a_child_has_it:
            self.assertIsNone(while_a_child_has_it)
        child.communicate(b"\n")
        with only_one(path) as later:
            self.assertIsNotNone(later)


class Works(unittest.TestCase):
    KEY = {"size": 64, "contender": "dense", "seed": 0}

    def is_done(self, again, **change):
        """Whether a work is, beside an entry that tells of it but for a change."""
        entry = {"kind": "training", **self.KEY, "digest": "same", "status": "ok", "exit": 0, "commit": "now", **change}
        one = Comparison.__new__(Comparison)
        one.commit, one.options = "now", types.SimpleNamespace(again=again)
        one.store = types.SimpleNamespace(
            find=lambda kind, **key: entry if all(entry[name] == value for name, value in key.items()) else None)
        return one.is_done(types.SimpleNamespace(key=lambda: self.KEY, digest=lambda: "same"))

    def test_only_what_has_the_same_settings_is_left_alone(self):
        self.assertTrue(self.is_done(False))
        self.assertFalse(self.is_done(True))
        self.assertFalse(self.is_done(False, digest="other"))
        self.assertFalse(self.is_done(False, seed=1))
        self.assertTrue(self.is_done(False, commit="before"))

    def test_what_failed_is_made_again_where_something_changed(self):
        self.assertTrue(self.is_done(False, status="failed"))
        self.assertFalse(self.is_done(False, status="failed", commit="before"))
        self.assertFalse(self.is_done(False, status="failed", exit=-9))

    def test_the_digest_is_that_of_the_settings_alone(self):
        self.assertEqual(digest({"a": 1, "b": [2]}), digest({"b": [2], "a": 1}))
        self.assertNotEqual(digest({"a": 1}), digest({"a": 2}))


if __name__ == "__main__":
    unittest.main()
