# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs bench/headline/run --quick with two steps of training, by the programs of a build, whose folder is the argument:
trained, asked, timed, not done twice, and shown by the report. The configs and the tables are checked without them."""

import json
import os
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = sys.argv.pop() if len(sys.argv) > 1 else os.path.join(HERE, "..", "..", "build", "release", "bin")
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "common")]
import pages  # noqa: E402
import tables  # noqa: E402
import works  # noqa: E402
from testing import RunTest, entry  # noqa: E402

OF_MODELS = {"modes", "num_hidden_layers", "router", "training"}


class Plans(unittest.TestCase):
    def test_contenders_differ_in_modes_and_what_routers_have(self):
        configs = {name: works.Work(works.WHOLE.recipe, name, 0).config() for name in works.CONTENDERS}
        for name, config in configs.items():
            self.assertEqual(len(config["modes"]), config["num_hidden_layers"])
            for key in configs["dense"].keys() - OF_MODELS:
                self.assertEqual(config[key], configs["dense"][key], (name, key))
        self.assertEqual([sum(modes == ["full"] for modes in configs[name]["modes"]) for name in configs],
                         [2, 0, 0, 1, 1, 0])

    def test_every_context_has_room_for_its_questions(self):
        for plan in (works.WHOLE, works.QUICK):
            self.assertGreaterEqual(plan.recipe.keys, max(cell.pairs for cell in plan.cells))
            for cell in plan.cells + plan.once + plan.speeds:
                self.assertLessEqual(4 * cell.pairs, cell.seq)


class Tables(unittest.TestCase):
    def recall(self, contender, seed, right, full):
        return entry("recall", contender, seed, seq=64, pairs=8, right=right, asked=100,
                          entries_by_layer=[full, 0],
                          bytes={"full": [1024 * full, 512 * full], "swa": [1024, 0], "total": [4096, 2048]})

    def test_recall_and_caches_are_beside_dense(self):
        results = tables.Results({"entries": [
            self.recall("chimera", 0, 99, 4), self.recall("chimera", 1, 100, 4), self.recall("dense", 0, 100, 64),
            self.recall("dense", 1, 98, 64), self.recall("dense", 2, 0, 64)]})
        self.assertIn("| 64 | 8 | 2 | -1.00 | +2.00 |", tables.beside_dense(results))
        self.assertIn("| 98.00 % (0.00 % - 100.00 %) | 99.50 % (99.00 % - 100.00 %) |", tables.recall(results))
        self.assertIn("| chimera | 4.0 | 5.0 | 2.0 | 13.0 | 4.0 | 2.0 |", tables.caches(results))

    def test_speeds_are_compared_within_their_rounds(self):
        rounds = {"dense": [{"prefill": 10, "decode": 1}, {"prefill": 20, "decode": 2}],
                  "chimera": [{"prefill": 10, "decode": 3}, {"prefill": 40, "decode": 6}]}
        results = tables.Results({"entries": [entry("speed", name, seq=64, pairs=8, batch=1, rounds=found)
                                              for name, found in rounds.items()]})
        self.assertIn("| chimera | 25 (10 - 40) | 1.50 (1.00 - 2.00) | 4 (3 - 6) | 3.00 |", tables.speed(results))

    def test_the_page_has_the_results_of_the_repository(self):
        with open(os.path.join(HERE, "results.json"), encoding="utf-8") as file:
            results = tables.Results(json.load(file))
        with open(os.path.join(HERE, "..", "..", "docs", "headline.md"), encoding="utf-8") as file:
            page = file.read()
        self.assertEqual(pages.fill(page, tables.TABLES, results), page)

    def test_a_failed_training_is_told(self):
        results = tables.Results({"entries": [entry("training", "dense", status="failed", message="no | memory",
                                                         wall_seconds=1)]})
        self.assertIn("| failed: no \\| memory |", tables.training(results))


class Quick(RunTest):
    HERE = HERE

    def quick(self):
        return self.script("run", "--quick", "--steps", "2", "--rounds", "1", "--threads", "1", "--bin", PROGRAMS,
                           "--output", self.output)

    def test_it_trains_asks_times_and_reports(self):
        self.quick()
        self.assertEqual([one["status"] for one in self.entries("training")], ["ok", "ok"])
        asked = self.entries("recall")
        self.assertEqual(len(asked), 2 * len(works.QUICK.cells))
        for one in asked:
            if one["contender"] == "dense":
                self.assertEqual(one["entries_by_layer"], [one["seq"]] * 2)
                self.assertGreaterEqual(one["bytes"]["full"][0], one["bytes"]["full"][1])
        speeds = self.entries("speed")
        self.assertEqual(len(speeds), 2 * len(works.QUICK.speeds))
        self.assertTrue(all(one["rounds"][0][phase] > 0 for one in speeds for phase in ("prefill", "decode")))

        again = self.quick()
        self.assertEqual(again.count("in the file already"), 2)
        self.assertNotIn("right", again)
        self.assertNotIn("rounds of", again)
        self.assertIn("| 4096 | 8 | 8 | chimera |", self.script("report", "--results", self.output))

    def test_bad_input_is_one_line(self):
        self.assertIn("no program chimera-train",
                      self.refused("run", "--bin", self.folder.name, "--output", self.output))


if __name__ == "__main__":
    unittest.main()
