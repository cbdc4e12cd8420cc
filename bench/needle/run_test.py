# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks haystacks, tables and maps, and runs bench/needle/run --quick with two steps of training, by the programs of a
build, whose folder is the argument: trained, asked, timed, not done twice, and shown by the report."""

import os
import random
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = sys.argv.pop() if len(sys.argv) > 1 else os.path.join(HERE, "..", "..", "build", "release", "bin")
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "common")]
import figures  # noqa: E402
import haystack  # noqa: E402
import tables  # noqa: E402
import text_models  # noqa: E402
import texts  # noqa: E402
import works  # noqa: E402
from testing import RunTest, drawn, entry, of_machine  # noqa: E402

TEXT = b"The quick brown fox jumps over the lazy dog.\n" * 200


class Haystacks(unittest.TestCase):
    def test_a_row_to_train_on_has_the_length_and_asks_after_it_has_told(self):
        source = random.Random(3)
        for _ in range(50):
            row = haystack.training_row(TEXT, 513, 4, source).decode()
            self.assertEqual(len(row), 513)
            said = haystack.SENTENCE.split("{")[0]
            names = [part[:2 * haystack.SYLLABLES] for part in row.split(said)[1:]]
            self.assertEqual([names.count(name) for name in set(names)], [2] * 4)
            sentences = [part[:haystack.LENGTH - len(said)] for part in row.split(said)[1:]]
            self.assertEqual(len(set(sentences)), 4)

    def test_needles_are_at_their_depths_and_asked_for_at_the_end(self):
        found = haystack.haystacks(TEXT, 1024, works.DEPTHS, 3, 4)
        asked = [question.depth for one in found for question in one.questions]
        self.assertEqual({depth: asked.count(depth) for depth in works.DEPTHS}, dict.fromkeys(works.DEPTHS, 3))
        for one in found:
            self.assertEqual(len(one.tokens), 1024)
            end = len(one.tokens) - haystack.LENGTH * len(one.questions)
            for question in one.questions:
                self.assertEqual(one.tokens[question.at:question.at + haystack.DIGITS], question.answer)
                self.assertGreater(question.at, end)
                at = one.tokens.index(question.answer)
                # Of the text that is left: other facts stand before it, and a word is not cut.
                self.assertAlmostEqual(at / end, question.depth, delta=0.12)
                self.assertIn(one.tokens[at - 2 * haystack.SYLLABLES - 2:at], one.tokens[at + 1:])

    def test_the_same_haystacks_for_everyone(self):
        self.assertEqual(haystack.haystacks(TEXT, 512, works.DEPTHS, 1, 2),
                         haystack.haystacks(TEXT, 512, works.DEPTHS, 1, 2))

    def test_every_digit_counts(self):
        one = haystack.haystacks(TEXT, 512, (0.5, 1.0), 1, 2)[0]
        vocabulary, logits = 256, [0.0] * (256 * len(one.tokens))
        for at in range(len(one.tokens) - 1):
            logits[at * vocabulary + one.tokens[at + 1]] = 1.0
        self.assertEqual(dict(haystack.answered(one, logits, 0, vocabulary)), {0.5: True, 1.0: True})
        wrong = one.questions[0]
        logits[(wrong.at + haystack.DIGITS - 2) * vocabulary + 7] = 2.0
        self.assertEqual(dict(haystack.answered(one, [0.0] * 512 + logits, 512, vocabulary)),
                         {0.5: wrong.depth != 0.5, 1.0: wrong.depth != 1.0})

    def test_a_short_text_is_told(self):
        with self.assertRaisesRegex(ValueError, "a longer text with --text"):
            haystack.haystacks(b"too short", 512, (0.5,), 1, 1)


class Texts(unittest.TestCase):
    def test_bits_of_a_model_that_knows_nothing_and_of_one_that_knows(self):
        found = [texts.Window(b"abcd"), texts.Window(b"efgh")]
        flat = [0.0] * (256 * 8)
        self.assertAlmostEqual(texts.bits_per_byte(texts.nats(found, flat, 256), texts.predicted(found)), 8)
        for row, target in ((0, "b"), (1, "c"), (2, "d"), (4, "f"), (5, "g"), (6, "h")):
            flat[256 * row + ord(target)] = 100.0
        self.assertAlmostEqual(texts.nats(found, flat, 256), 0)

    def test_windows_are_of_what_is_held_out(self):
        text = texts.Text(b"x" * 190, bytes(range(10)))
        self.assertEqual([one.tokens for one in texts.windows(text, 4, 9)], [bytes(range(4)), bytes(range(4, 8))])
        with self.assertRaisesRegex(ValueError, "at least 220 bytes with --text"):
            texts.windows(text, 11, 1)


class Plans(unittest.TestCase):
    def test_contenders_differ_in_modes_and_what_routers_have(self):
        dense = text_models.config("dense", 128, 1e-3)
        for name, one in text_models.CONTENDERS.items():
            config = text_models.config(name, 128, 1e-3)
            self.assertEqual(len(config["modes"]), config["num_hidden_layers"])
            for key in dense.keys() - {"modes", "training"}:
                self.assertEqual(config[key], dense[key], (name, key))
            self.assertEqual("router" in config, any(len(modes) > 1 for modes in config["modes"]))
            if one.full:
                self.assertAlmostEqual(sum(config["router"]["target"].values()), 1)

    def test_every_plan_has_contenders_and_room_for_facts(self):
        for plan in (works.WHOLE, works.QUICK):
            self.assertLessEqual(set(plan.contenders), set(text_models.CONTENDERS))
            for cell in plan.haystacks + plan.recipe.stages:
                self.assertLess(2 * cell.facts * haystack.LENGTH, cell.seq)


class Tables(unittest.TestCase):
    def needle(self, contender, right, full, seed=0):
        return entry("needle", contender, seed, seq=1024, depths=[[0.0, right, 10], [0.5, 10, 10]],
                     entries_by_layer=[full, 0],
                     bytes={"full": [1024 * full, 512 * full], "swa": [1024, 0], "total": [4096, 2048]})

    def results(self):
        rounds = {"dense": [{"prefill": 10, "decode": 1}, {"prefill": 20, "decode": 2}],
                  "chimera-10": [{"prefill": 10, "decode": 3}, {"prefill": 40, "decode": 6}]}
        return tables.Results(of_machine(
            self.needle("chimera-10", 5, 5), self.needle("chimera-10", 6, 5, seed=1), self.needle("dense", 10, 11),
            entry("text", "dense", seq=1024, bits=1.5, entries_by_layer=[1], bytes={"total": [1, 1]}),
            entry("text", "chimera-10", seq=1024, bits=1.53, entries_by_layer=[1], bytes={"total": [1, 1]}),
            entry("training", "dense", status="failed", message="no | memory", wall_seconds=1, command="a\nb"),
            *(entry("speed", name, seq=1024, batch=1, rounds=found, command="chimera-run x")
              for name, found in rounds.items())))

    def test_tables(self):
        results = self.results()
        self.assertIn("| 1024 | 20 | 100.0 % | 77.5 % (75.0 % - 80.0 %) |", tables.needles(results))
        self.assertIn("| chimera-10 | 1024 | 55 % | - |", tables.maps(results))
        self.assertIn("| 1024 | 1 | chimera-10 | 77.5 % | 1.020 | 0.500 | 0.455 | 1.50 | 3.00 |",
                      tables.beside_dense(results))
        self.assertIn("| 1024 | 1.5000 | 1.5300 |", tables.TABLES["bits"](results))
        self.assertIn("| chimera-10 | 5.0 | 6.0 | 2.5 | 2.0 | 4.0 | 2.0 |", tables.caches(results))
        self.assertIn("| failed: no \\| memory |", tables.TABLES["training"](results))
        self.assertEqual(tables.TABLES["commands"](results), "    a\n    b\n    chimera-run x\n")
        for name, make in tables.TABLES.items():
            self.assertEqual(make(tables.Results({"entries": []})), "", name)

    def test_a_cell_for_each_depth_and_length(self):
        root, titles = drawn(figures.maps(self.results(), "Test CPU <&>"))
        self.assertEqual(len(titles), 4)
        self.assertEqual(titles["chimera-10, T 1024, depth 0 %: 55.0 %"].get("fill"), figures.colour(0.55))
        self.assertEqual(len({figures.colour(share / 10) for share in range(11)}), 11)
        self.assertIn("Test CPU <&>", "".join(root.itertext()))


class Quick(RunTest):
    HERE = HERE

    def quick(self, text):
        return self.script("run", "--quick", "--steps", "2", "--rounds", "1", "--threads", "1", "--bin", PROGRAMS,
                           "--output", self.output, "--text", text)

    def test_it_trains_asks_times_and_reports(self):
        text = self.text()
        self.quick(text)
        self.assertEqual([one["status"] for one in self.entries("training")], ["ok", "ok"], self.stored())
        asked = self.entries("needle")
        self.assertEqual(len(asked), 2 * len(works.QUICK.haystacks))
        for one in asked:
            self.assertEqual([depth for depth, _, _ in one["depths"]], list(works.DEPTHS))
            if one["contender"] == "dense":
                self.assertEqual(one["entries_by_layer"], [one["seq"]] * 4)
        self.assertTrue(all(0 < one["bits"] < 9 for one in self.entries("text")))
        self.assertTrue(all(one["rounds"][0][phase] > 0 for one in self.entries("speed")
                            for phase in ("prefill", "decode")))

        again = self.quick(text)
        self.assertEqual(again.count("in the file already"), 2)
        self.assertNotIn("right", again)
        self.assertNotIn("rounds of", again)
        self.assertIn("| 1024 | 1 | chimera-10 |", self.script("report", "--results", self.output))
        self.script("report", "--results", self.output, "--figures", self.folder.name)
        with open(os.path.join(self.folder.name, "needle-maps.svg"), encoding="utf-8") as file:
            self.assertEqual(len(drawn(file.read())[1]), 2 * len(works.QUICK.haystacks) * len(works.DEPTHS))

    def test_bad_input_is_one_line(self):
        self.assertIn("no program chimera-train",
                      self.refused("run", "--bin", self.folder.name, "--output", self.output))
        self.assertIn("nowhere.txt", self.refused("run", "--bin", PROGRAMS, "--output", self.output, "--text",
                                                  os.path.join(self.folder.name, "nowhere.txt")))


if __name__ == "__main__":
    unittest.main()
