# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the tables and the figure, and that a training of several stages goes on where it was stopped; runs
bench/pareto/run --quick with two steps of training, by the programs of a build, whose folder is the argument."""

import dataclasses
import os
import sys
import types
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = sys.argv.pop() if len(sys.argv) > 1 else os.path.join(HERE, "..", "..", "build", "release", "bin")
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "common")]
import figures  # noqa: E402
import tables  # noqa: E402
import works  # noqa: E402
from testing import RunTest, drawn, entry, of_machine  # noqa: E402
from text_contest import TextContest  # noqa: E402

MADE_UP = {"dense": (1.50, 4096, 100), "ssm": (1.60, 0, 400), "hybrid-1of4": (1.55, 1024, 200),
           "hybrid-2of4": (1.58, 2048, 150), "chimera-10": (1.52, 1024, 300)}


def results():
    found = []
    for name, (bits, bytes_of, decode) in MADE_UP.items():
        found += [entry("text", name, seed, seq=2048, bits=bits + seed / 100, entries_by_layer=[1],
                        bytes={"full": [bytes_of, bytes_of], "total": [8192, 8192]}) for seed in (0, 1, 2)]
        found.append(entry("speed", name, seq=2048, batch=1, rounds=[{"prefill": 1, "decode": decode}],
                           command="chimera-run x"))
    return tables.Results(of_machine(*found))


class Report(unittest.TestCase):
    def test_routed_is_beside_the_best_static_that_has_no_more(self):
        table = tables.beside_static(results())
        self.assertIn("| 2048 | chimera-10 | 1.5300 | 1.0 | hybrid-1of4 | 1.5600 | 1.0 | -0.0300 | 0.0200 |", table)
        self.assertEqual(len(table.splitlines()), 3)
        for name, make in tables.TABLES.items():
            self.assertEqual(make(tables.Results({"entries": []})), "", name)

    def test_a_dot_for_each_model_and_the_front(self):
        root, titles = drawn(figures.pareto(results(), "Test CPU <&>"))
        self.assertEqual(len(titles), 2 * 3 * len(MADE_UP))
        memory, speed = (titles[f"chimera-10, seed 0: 1.5200 bits a byte, {value}"] for value in ("1 KiB", "300"))
        self.assertEqual((memory.get("class"), speed.get("class")), ("chimera", "chimera"))
        self.assertEqual(float(memory.get("cx")), 70)  # the axis begins at 1 KiB
        self.assertIn("Test CPU <&>", "".join(root.itertext()))
        found = figures.points(results(), 2048, lambda name, _: MADE_UP[name][1])
        self.assertEqual([x for x, _ in figures.front(found, 1)], [0, 1024, 4096])
        found = figures.points(results(), 2048, lambda name, _: MADE_UP[name][2])
        self.assertEqual([x for x, _ in figures.front(found, -1)], [400, 300, 100])


class Quick(RunTest):
    HERE = HERE

    def quick(self, text):
        return self.script("run", "--quick", "--steps", "2", "--rounds", "1", "--threads", "1", "--bin", PROGRAMS,
                           "--output", self.output, "--contenders", "dense,chimera-10", "--text", text)

    def test_it_trains_predicts_times_and_reports(self):
        text = self.text()
        self.quick(text)
        self.assertEqual([one["status"] for one in self.entries("training")], ["ok", "ok"], self.stored())
        self.assertEqual(len(self.entries("text")), 2 * len(works.QUICK.cells))
        self.assertTrue(all(0 < one["bits"] < 9 for one in self.entries("text")))
        self.assertEqual(self.quick(text).count("in the file already"), 2)
        self.assertIn("| 2048 | chimera-10 |", self.script("report", "--results", self.output))
        self.script("report", "--results", self.output, "--figures", self.folder.name)
        with open(os.path.join(self.folder.name, "pareto.svg"), encoding="utf-8") as file:
            self.assertEqual(len(drawn(file.read())[1]), 4)

    def test_stages_go_on_with_the_weights_of_the_one_before(self):
        recipe = works.WHOLE.recipe.shortened(2)
        recipe = dataclasses.replace(recipe, stages=tuple(
            dataclasses.replace(stage, seq=16 * (i + 1), batch=2) for i, stage in enumerate(recipe.stages)))
        contest = TextContest(types.SimpleNamespace(
            plan=dataclasses.replace(works.QUICK, recipe=recipe), bin=PROGRAMS, output=self.output, threads=1,
            again=False, text=self.text()), os.path.join(HERE, "..", ".."))
        work = contest.work("dense", 0)
        folder = contest.model_folder(work)
        os.makedirs(folder)
        stages = contest.stages(work, folder)
        command, out = next(stages)
        contest.call(command)
        self.assertNotEqual(out, folder)
        self.assertEqual(next(stages)[1], folder)
        # Stopped here, and started again: the first stage is not made again.
        command, out = next(contest.stages(work, folder))
        self.assertEqual(out, folder)
        contest.call(command)
        self.assertEqual(contest.measured(work, folder)["parameters"] > 0, True)

    def test_bad_input_is_one_line(self):
        self.assertIn("no program chimera-train",
                      self.refused("run", "--bin", self.folder.name, "--output", self.output))


if __name__ == "__main__":
    unittest.main()
