# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the contenders' configs, what is measured, and tables and figures of made-up results in testdata/."""

import os
import random
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "common")]
import cache  # noqa: E402
import figures  # noqa: E402
import measure  # noqa: E402
import pages  # noqa: E402
import programs  # noqa: E402
import recall  # noqa: E402
import tables  # noqa: E402
import works  # noqa: E402
from programs import MODES  # noqa: E402
from results import Results  # noqa: E402
from testing import SVG, made_up  # noqa: E402

DATA = os.path.join(HERE, "testdata", "results.json")

# What only a model with a router has. All else of a config is the same for all contenders.
OF_ROUTERS = {"router", "training.routing", "training.temperature", "training.entropy", "training.budget",
              "training.switch_loss", "training.floor", "training.balancer", "training.optimizer.router_lr"}
MODES_OF = {"dense": [["full"], ["full"]], "ssm": [["ssm"], ["ssm"]], "window": [["swa"], ["swa"]],
            "hybrid": [["ssm"], ["full"]], "chimera": [list(MODES)] * 2}


def leaves(config, keys, prefix=""):
    """{dotted key: value}, without descending into those of `keys`."""
    found = {}
    for name, value in config.items():
        if isinstance(value, dict) and prefix + name not in keys:
            found.update(leaves(value, keys, prefix + name + "."))
        else:
            found[prefix + name] = value
    return found


class Configs(unittest.TestCase):
    def configs(self):
        """(size, contender, leaves) of all."""
        for size in works.SIZES.values():
            for contender in works.CONTENDERS:
                config = works.Work(size, contender, 0).settings()["config"]
                yield size.seq, contender, leaves(config, OF_ROUTERS)

    def test_each_contender_has_its_modes(self):
        for seq, contender, found in self.configs():
            self.assertEqual(found["modes"], MODES_OF[contender], (seq, contender))

    def test_all_else_is_the_same_but_what_routers_have(self):
        for seq, contender, found in self.configs():
            base = leaves(works.Work(works.SIZES[seq], "dense", 0).settings()["config"], OF_ROUTERS)
            different = {key for key in found.keys() | base.keys() if found.get(key) != base.get(key)}
            allowed = {"modes"} | (OF_ROUTERS if contender == "chimera" else set())
            self.assertLessEqual(different, allowed, (seq, contender))
            self.assertEqual(base["window"], 4)
            self.assertEqual(base["token_conv_kernel"], 4)

    def test_every_config_belongs_to_a_contender(self):
        names = {name[:-5] for name in os.listdir(HERE) if name.endswith(".json")}
        sized = {f"{contender}-{seq}" for contender in works.CONTENDERS for seq in works.SIZES}
        self.assertLessEqual(names, set(works.CONTENDERS) | sized)

    def test_runs_of_a_size_differ_in_config_and_seed_alone(self):
        for size in works.SIZES.values():
            found = works.works([size], works.CONTENDERS, [0, 1])
            self.assertEqual(len({work.digest() for work in found}), len(found))
            options = [dict(work.settings()["options"], seed=None) for work in found]
            self.assertEqual(options, [options[0]] * len(options))
            commands = {" ".join(work.command("OUT", None)).replace(work.config(), "C").replace(
                f"--seed {work.seed} ", "") for work in found}
            self.assertEqual(len(commands), 1)


class Measured(unittest.TestCase):
    def test_sequences_are_of_the_task(self):
        size = works.SIZES[64]
        for one in recall.sequences(size, 50):
            self.assertEqual((len(one.tokens), len(one.answers)), (64, 8))
            self.assertEqual([one.classes.count(kind) for kind in recall.CLASSES], [8, 8, 8, 40])
            values = dict(zip(one.tokens[0:16:2], one.tokens[1:16:2]))
            self.assertEqual(len(values), 8)
            for at, answer in one.answers.items():
                self.assertEqual((one.classes[at], values[one.tokens[at]]), ("query", answer))
                self.assertEqual(at % 2, 0)
                self.assertGreaterEqual(at, 16)
            for token, kind in zip(one.tokens, one.classes):
                least, most = {"key": (2, 42), "query": (2, 42), "value": (42, 82), "filler": (82, 128)}[kind]
                self.assertTrue(least <= token < most, (token, kind))

    def test_accuracy_counts_questions_alone(self):
        found = recall.sequences(works.QUICK[16], 3)
        logits = [random.Random(1).random() for _ in range(3 * 16 * 128)]
        wanted = [(b, at, answer) for b, one in enumerate(found) for at, answer in one.answers.items()]
        for b, at, answer in wanted[1:]:
            logits[(b * 16 + at) * 128 + answer] = 2.0
        b, at, answer = wanted[0]
        logits[(b * 16 + at) * 128 + (answer + 1) % 128] = 2.0
        self.assertEqual(measure.accuracy(found, logits, 128), 5 / 6)

    def test_entries_are_those_of_layers_with_and_without_a_choice(self):
        classes = [{"layer": 1, "positions": "key", "shares": [.5, 0, .5, 0], "tokens": 160},
                   {"layer": 1, "positions": "filler", "shares": [.75, 0, .25, 0], "tokens": 480}]
        config = {"modes": [["full"], list(MODES), ["ssm"]]}
        self.assertEqual(measure.listed(classes, config, 64), 64 + 64 * (80 + 120) / 640)
        self.assertEqual(measure.listed([], {"modes": [["ssm"], ["full"]]}, 64), 64)

    def test_shares_by_class_add_up(self):
        found = recall.sequences(works.QUICK[16], 4)
        routing = [2 if kind == "query" and layer == 1 else 3 for one in found for kind in one.classes
                   for layer in range(2)]
        by = {(one["layer"], one["positions"]): one for one in measure.shares_by_class(found, routing, 2)}
        self.assertEqual(by[1, "query"], {"layer": 1, "positions": "query", "shares": [0, 0, 1, 0], "tokens": 8})
        self.assertEqual(by[0, "query"]["shares"], [0, 0, 0, 1])
        self.assertEqual(sum(one["tokens"] for one in by.values()), 4 * 16 * 2)

    def test_a_log_that_ends_early_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "log.jsonl"), "w", encoding="utf-8") as file:
                file.write('{"kind": "run", "parameters": 5}\n'
                           '{"kind": "evaluation", "step": 1, "hard": {"accuracy": 1, "loss": 0}}\n{"kind": "eval')
            with self.assertRaisesRegex(ValueError, "ended before step 2"):
                measure.trained(folder, works.Work(works.QUICK[16], "dense", 0))

    def test_speeds_are_read(self):
        self.assertEqual(programs.read_speeds("prefill: 9 tokens in 0.1 s, 90.0 tokens/s\n"
                                              "decode: 64 tokens in 0.001 s, 91251.0 tokens/s\ncache\n"),
                         {"prefill": 90, "decode": 91251})
        with self.assertRaises(ValueError):
            programs.read_speeds("prefill: 64 tokens\n")


class CacheBytes(unittest.TestCase):
    MANIFEST = {"dtype": "f32", "model": {"window": 4, "num_key_value_heads": 2, "head_dim": 32},
                "pools": [{"bytes_per_slot": n} for n in (768, 32768, 32768, 512, 8, 8)],
                "caches": [{"layer": 0, "mode": "token_conv", "kind": "tail", "pools": [0]},
                           {"layer": 0, "mode": "swa", "kind": "ring", "pools": [1, 2, 3, 4]},
                           {"layer": 0, "mode": "full", "kind": "list", "pools": [5], "table": 0}],
                "pages": {"entries": 64, "bytes": 33024, "tables": 1}}
    STATS = ("decode: 1 tokens in 1 s, 1.0 tokens/s\ncache bytes   reserved       in use\n  swa  132112  {swa}\n"
             "  full  99088  {full}\n  token_conv  1536  1536\n  total  3  3\ntensors of the checkpoint: 2\n")

    def test_needed_are_entries_rings_of_the_window_and_the_rest(self):
        self.assertEqual(cache.needed(self.MANIFEST, 10),
                         {"list": 5160, "ring": 4 * (512 + 4) + 8, "state": 776, "total": 8008})

    def test_the_runtime_and_the_routing_must_agree(self):
        def check(full, swa, lengths, entered):
            taken = [[{"full": length, "swa": number}] for length, number in zip(lengths, entered)]
            cache.check(self.MANIFEST, cache.read_stats(self.STATS.format(full=full, swa=swa)), taken)

        lists, rings = 2 * 8 + 516 * 75, 2 * 8 + 516 * (4 + 3)
        check(lists, rings, [65, 10], [9, 3])
        for full, lengths in ((lists, [66, 10]), (lists - 516, [65, 10]), (lists, [60, 15])):
            with self.assertRaisesRegex(ValueError, "the caches of full"):
                check(full, rings, lengths, [9, 3])
        for swa, entered in ((rings, [9, 4]), (rings - 516, [9, 3])):
            with self.assertRaisesRegex(ValueError, "the caches of swa"):
                check(lists, swa, [65, 10], entered)


class Tables(unittest.TestCase):
    def setUp(self):
        self.results = Results(made_up(HERE))

    def cells(self, name, *start):
        """The rest of the row that starts with these cells."""
        rows = [[cell.strip() for cell in line.strip("| \n").replace("\\|", "!").split(" | ")]
                for line in tables.TABLES[name](self.results).splitlines()]
        found = [row[len(start):] for row in rows if row[:len(start)] == [str(cell) for cell in start]]
        self.assertEqual(len(found), 1, (name, start))
        return found[0]

    def test_summary_has_medians_ranges_and_counts_failures(self):
        self.assertEqual(self.cells("summary", 64, "dense"),
                         ["99.6 % (50.0 % - 100.0 %)", "2 of 3", "128.0", "1.00", "66.0", "1.00", "1.00"])
        self.assertEqual(self.cells("summary", 64, "window"), ["5.0 %", "0 of 2", "0.0", "0.00", "5.5", "-", "-"])
        # Ratios are of rounds: 1.2, 1, 1.1, though the medians of the speeds are 1200 and 1000.
        self.assertEqual(self.cells("summary", 64, "chimera"),
                         ["95.0 % (90.0 % - 100.0 %)", "1 of 2", "26.0 (20.0 - 32.0)", "0.20 (0.16 - 0.25)",
                          "38.5 (35.5 - 41.5)", "1.10 (1.00 - 1.20)", "1.10 (1.00 - 1.20)"])
        self.assertEqual(self.cells("summary", 128, "chimera"), ["failed", "0 of 1"] + ["-"] * 5)

    def test_every_run_is_shown_and_failed_ones_say_why(self):
        self.assertEqual(self.cells("runs", 64, "window", 1),
                         ["failed: chimera-train: loss is nan ! at step 7"] + ["-"] * 7 + ["12"])
        self.assertEqual(self.cells("runs", 64, "chimera", 0),
                         ["100.00 %", "100.00 %", "99.00 %", "20.0", "20.5", "0.156", "0.25", "100 (resumed)"])
        self.assertEqual(self.cells("runs", 64, "dense", 2)[:3], ["50.00 %", "-", "49.00 %"])
        self.assertEqual(len(tables.runs(self.results).splitlines()), 2 + 9)

    def test_caches_decode_routing_and_commands(self):
        self.assertEqual(self.cells("caches", 64, "window"), ["-", "0", "4112", "1536", "5648", "67600"])
        self.assertEqual(self.cells("caches", 64, "chimera")[1], "13416")
        self.assertEqual(self.cells("decode", 64, "chimera", "whole sequences of the task", 1),
                         ["500 (400 - 600)", "1.00 (0.80 - 1.20)", "16 %"])
        self.assertEqual(self.cells("decode", 64, "chimera", "full context, random tokens", 16)[2], "44 %")
        self.assertEqual(self.cells("routing", 64, "chimera", 1, 1),
                         ["50 / 0 / 0 / 50", "50 / 0 / 0 / 50", "0 / 0 / 100 / 0", "45 / 0 / 10 / 45"])
        self.assertEqual(tables.commands(self.results).splitlines()[-2:],
                         ["    chimera-bench dense", "    chimera-run dense"])
        self.assertIn("| 128 | `mqar:pairs=16,queries=16,keys=40,vocab=128` | 64 | 1200 | 76800 |",
                      tables.settings(self.results))
        self.assertIn("9 trainings, 2026-01-02 03:01:00 to 2026-01-02 03:11:00 UTC", pages.where(self.results.data))

    def test_without_results_tables_are_empty(self):
        for name, make in tables.TABLES.items():
            self.assertEqual(make(Results({"entries": []})), "", name)

    def test_the_projects_page_has_every_table_and_keeps_its_text(self):
        with open(os.path.join(HERE, "..", "..", "docs", "mqar.md"), encoding="utf-8") as file:
            page = file.read()
        for name in tables.TABLES:
            self.assertIn(f"<!-- begin {name} -->", page)
        filled = pages.fill(page, tables.TABLES, self.results)
        self.assertIn("| 64 | chimera | 95.0 %", filled)
        self.assertIn("](figures/mqar-accuracy.svg)", filled)
        self.assertEqual(pages.fill(filled, tables.TABLES, self.results), filled)


class Figures(unittest.TestCase):
    def setUp(self):
        self.results = Results(made_up(HERE))

    def draw(self, name):
        text = figures.FIGURES[name](self.results, "Test CPU <&> abc1234")
        root = xml.etree.ElementTree.fromstring(text)
        self.assertIn("Test CPU <&> abc1234", "".join(root.itertext()))
        return root

    def test_a_dot_for_each_run_where_its_figures_say(self):
        root = self.draw("mqar-accuracy")
        dots = {circle.find(SVG + "title").text: circle for circle in root.iter(SVG + "circle")}
        self.assertEqual(len(dots), 7)
        one = dots["chimera, T 64, seed 1: 90.00 %, 32.0 entries"]
        self.assertEqual(one.get("class"), "chimera")
        # Panels are 360 wide for the entries of dense and 320 high.
        self.assertAlmostEqual(float(one.get("cx")), 60 + 360 * 32 / 128, delta=.1)
        self.assertAlmostEqual(float(one.get("cy")), 386 - 320 * .9, delta=.1)
        self.assertAlmostEqual(float(dots["dense, T 128, seed 0: 100.00 %, 256.0 entries"].get("cx")), 850, delta=.1)
        self.assertEqual("".join(root.itertext()).count("1 failed, not drawn"), 2)

    def test_bars_are_as_high_as_shares(self):
        bars = {one.find(SVG + "title").text: float(one.get("height")) for one in self.draw("mqar-routing").iter(
            SVG + "rect") if one.find(SVG + "title") is not None}
        self.assertAlmostEqual(bars["T 64, layer 1, seed 1, filler: full 10.0 %"], 11)
        self.assertAlmostEqual(bars["T 64, layer 0, seed 0, value: ssm 25.0 %"], 27.5)
        stacks = {}
        for name, height in bars.items():
            stack = name.split(":")[0]
            stacks[stack] = stacks.get(stack, 0) + height
        self.assertEqual(len(stacks), 16)
        for name, height in stacks.items():
            self.assertAlmostEqual(height, 110, delta=.05, msg=name)


class Programs(unittest.TestCase):
    def test_the_report_writes_page_and_figures(self):
        with tempfile.TemporaryDirectory() as folder:
            page = os.path.join(folder, "page.md")
            with open(page, "w", encoding="utf-8") as file:
                file.write("<!-- begin summary -->\n<!-- end summary -->\n")
            done = subprocess.run([sys.executable, os.path.join(HERE, "report"), "--results", DATA, "--page", page,
                                   "--figures", folder], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            with open(page, encoding="utf-8") as file:
                self.assertIn("| 128 | chimera | failed |", file.read())
            for name in figures.FIGURES:
                xml.etree.ElementTree.parse(os.path.join(folder, name + ".svg"))

    def test_bad_input_is_one_line(self):
        done = subprocess.run([sys.executable, os.path.join(HERE, "report"), "--results", "/nonexistent.json"],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1))
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, os.path.join(HERE, "run"), "--bin", folder, "--output",
                                   os.path.join(folder, "x.json")], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1))
        self.assertIn("no program chimera-train", done.stderr)


if __name__ == "__main__":
    unittest.main()
