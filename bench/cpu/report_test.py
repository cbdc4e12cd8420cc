# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks tables and roofline against a small file of made-up results (testdata/results.json)."""

import copy
import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "common")]
import roofline  # noqa: E402
import tables  # noqa: E402
import works  # noqa: E402
from testing import SVG, made_up, script  # noqa: E402

DATA = os.path.join(HERE, "testdata", "results.json")


class Tables(unittest.TestCase):
    def setUp(self):
        self.results = tables.Results(made_up(HERE))

    def row(self, table, start):
        """The cells of the row whose first cell starts so."""
        rows = [[cell.strip() for cell in line.strip("| \n").split("|")] for line in table.splitlines()]
        found = [row for row in rows if row[0].startswith(start)]
        self.assertEqual(len(found), 1, f"{start} in\n{table}")
        return found[0]

    def test_products_weigh_kernels_by_work_and_leave_out_single_rows(self):
        # 19.2 GFLOP at 160 GFLOP/s and 7.2 at 120: 26.4 in 0.18 s is 146.7, of 200.
        row = self.row(tables.targets(self.results), "f32 matrix products")
        self.assertEqual(row[2:], ["73 % of 200 GFLOP/s (kernels: 60 % to 80 %)", "not reached"])
        self.assertNotIn("`last`", tables.products(self.results))

    def test_products_on_amx_are_judged_only_where_it_is(self):
        row = self.row(tables.targets(self.results), "bf16 matrix products")
        self.assertEqual(row[2:], ["320 GFLOP/s with vdpbf16ps, 80 % of its peak", "not measurable: no AMX here"])
        data = made_up(HERE)
        data["machine"]["features"].append("amx_bf16")
        self.assertEqual(self.row(tables.targets(tables.Results(data)), "bf16 matrix products")[3], "not reached")

    def test_families_are_of_ops_that_there_are(self):
        with open(os.path.join(HERE, "..", "..", "docs", "dialect.md"), encoding="utf-8") as page:
            ops = set(re.findall(r"^### `chimera\.(\w+)`", page.read(), re.MULTILINE))
        self.assertEqual([op for _, family in tables.FAMILIES for op in family if op not in ops], [])

    def test_decode_targets(self):
        text = tables.targets(self.results)
        self.assertEqual(self.row(text, "dense decode, batch 1, short context, f32")[2:],
                         ["90 %, 40.0 tokens/s", "reached"])
        self.assertEqual(self.row(text, "dense decode, batch 1, short context, bf16")[2:],
                         ["80 %, 70.0 tokens/s", "not reached"])
        self.assertEqual(self.row(text, "dense decode, batch 1, short context, int8")[2:],
                         ["80 %, 130.0 tokens/s", "not reached"])
        self.assertEqual(self.row(text, "dense decode, batch 1, context 32768, bf16")[2:],
                         ["80 %, 10.0 tokens/s", "reached"])

    def test_ratio_targets(self):
        text = tables.targets(self.results)
        self.assertEqual(self.row(text, "dense prefill")[2:], ["2768 tokens/s, 4.0x", "reached"])
        self.assertEqual(self.row(text, "routed")[2:], ["5.2x, 8.0x less", "reached"])
        self.assertEqual(self.row(text, "batch 16")[2:], ["7.0x", "not reached"])
        self.assertEqual(self.row(text, "another process burning one core, prefill")[2:], ["2.00x slower", "reached"])
        self.assertEqual(self.row(text, "another process burning one core, decode")[2:],
                         ["2.50x slower", "not reached"])
        self.assertEqual(self.row(text, "compile time")[2:], ["1.50 s (dense-f32) to 2.50 s (dense-bf16)", "reached"])

    def test_a_routed_model_that_saves_too_little_memory_misses(self):
        data = made_up(HERE)
        for entry in data["entries"]:
            if entry["row"] == "long" and entry["model"]["config"] == "routed":
                entry["result"]["results"][0]["cache_bytes"] *= 2
        self.assertEqual(self.row(tables.targets(tables.Results(data)), "routed")[2:],
                         ["5.2x, 4.0x less", "not reached"])

    def test_families_sum_the_ops_of_both_targets(self):
        text = tables.families(self.results)
        self.assertIn("| dense | prefill | matrix products | 120.00 | 12.000 | 10x |", text)
        self.assertIn("| dense | prefill | activations, sums, gates | 60.00 | 0.000 | fused |", text)
        self.assertIn("| dense | decode | attention | 24.00 | 2.400 | 10x |", text)

    def test_launches_peers_switches_and_speeds(self):
        self.assertIn("| dense | ref | 15 | 12345 | 200 | 300 | 36 | 20.0 | 5.0 |", tables.launches(self.results))
        peers = tables.peers(self.results)
        self.assertIn("| PyTorch | bf16 | prefill | 101.0 | 2.0 |", peers)
        self.assertIn("llama.cpp: not installed.", peers)
        self.assertIn("| dense | f32 | avx2 | 1300 (1200 - 1400) | 39 (39 - 39) | 90 (90 - 90) % |",
                      tables.switches(self.results))
        self.assertIn("| dense | bf16 | context 4096 | - | 20 | 50 % |", tables.switches(self.results))
        self.assertIn("| dense | bf16 | decode | 16 | 0 | 490.0 | 1.0 | 6.4 | 32 % | 102 | 26 % | 1 |",
                      tables.speeds(self.results))
        self.assertIn("8 GiB, Linux 6.0", tables.where(self.results))

    def test_rows_that_were_not_run_are_left_out(self):
        data = made_up(HERE)
        data["entries"] = [entry for entry in data["entries"] if entry["row"] == "batch"]
        self.assertEqual(len(tables.target_rows(tables.Results(data))), 1)


class Page(unittest.TestCase):
    def setUp(self):
        self.results = tables.Results(made_up(HERE))
        self.report = script(HERE, "report")

    def test_a_table_is_replaced_between_its_marks_and_nothing_else(self):
        page = "before\n<!-- begin compiles -->\nold\n<!-- end compiles -->\nafter\n"
        once = self.report.fill(page, self.results)
        self.assertNotIn("old", once)
        self.assertIn("| dense | f32 | 1.50 s | 1.00 s | 9.00 s |", once)
        self.assertTrue(once.startswith("before\n<!-- begin compiles -->\n"))
        self.assertTrue(once.endswith("\n<!-- end compiles -->\nafter\n"))
        self.assertEqual(self.report.fill(once, self.results), once)

    def test_an_unknown_table_and_a_missing_end_are_refused(self):
        with self.assertRaisesRegex(ValueError, "no table nothing"):
            self.report.fill("<!-- begin nothing -->\n<!-- end nothing -->\n", self.results)
        with self.assertRaisesRegex(ValueError, "no line <!-- end speeds -->"):
            self.report.fill("<!-- begin speeds -->\n", self.results)

    def test_the_projects_page_names_tables_that_exist(self):
        with open(os.path.join(HERE, "..", "..", "docs", "performance.md"), encoding="utf-8") as file:
            filled = self.report.fill(file.read(), self.results)
        self.assertIn("| work | target | measured |", filled)

    def test_the_program_writes_page_and_figure(self):
        with tempfile.TemporaryDirectory() as folder:
            page, figure = os.path.join(folder, "page.md"), os.path.join(folder, "figure.svg")
            with open(page, "w", encoding="utf-8") as file:
                file.write("<!-- begin targets -->\n<!-- end targets -->\n")
            command = [sys.executable, os.path.join(HERE, "report"), DATA, "--page", page, "--figure", figure]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            with open(page, encoding="utf-8") as file:
                self.assertIn("dense prefill of 512", file.read())
            xml.etree.ElementTree.parse(figure)

    def test_missing_results_are_one_line(self):
        done = subprocess.run([sys.executable, os.path.join(HERE, "report"), "/nonexistent.json"], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("/nonexistent.json", done.stderr)


class Roofline(unittest.TestCase):
    def setUp(self):
        self.results = tables.Results(made_up(HERE))
        self.root = xml.etree.ElementTree.fromstring(roofline.draw(self.results, "Test CPU <&> abc1234, bench/cpu/run"))

    def marks(self):
        """By number: (name and dtype, x, y) of each point's shape."""
        found = {}
        for group in self.root.iter(SVG + "g"):
            circle, path = group.find(SVG + "circle"), group.find(SVG + "path")
            if circle is not None:
                x, y = float(circle.get("cx")), float(circle.get("cy"))
            else:
                x, y = (float(word) for word in path.get("d").split()[1:3])
                y += 6  # a diamond's path starts at its top
            found[group.find(SVG + "title").text] = (x, y)
        return found

    def test_points_are_where_operations_a_byte_and_rate_say(self):
        marks = self.marks()
        self.assertEqual(len(marks), 9)
        # The plot spans 12 doublings in 530 units and log(500) in 420.
        for name, intensity, rate in (("dense prefill 512, f32", 400, 160), ("dense decode, bf16", 1, 16),
                                      ("dense decode, int8", 2, 32), ("routed decode at 32768, bf16", 1, 13),
                                      ("dense decode at 32768, bf16", .87890625, 14.0625),
                                      ("dense decode, batch 16, bf16", 16, 102.4)):
            x, y = marks[name]
            self.assertAlmostEqual(2 ** (12 * (x - 70) / 530 - 2), intensity, delta=.01 * intensity, msg=name)
            self.assertAlmostEqual(2 * 500 ** ((470 - y) / 420), rate, delta=.01 * rate, msg=name)

    def test_a_faster_run_moves_up(self):
        before = self.marks()["dense decode, batch 16, bf16"]
        data = copy.deepcopy(self.results.data)
        for entry in data["entries"]:
            if entry["row"] == "batch":
                entry["result"]["results"][1]["flops_per_second"] *= 2
        self.root = xml.etree.ElementTree.fromstring(roofline.draw(tables.Results(data), ""))
        after = self.marks()["dense decode, batch 16, bf16"]
        self.assertEqual(before[0], after[0])
        self.assertLess(after[1], before[1])

    def test_roofs_bend_where_bandwidth_meets_the_peak(self):
        paths = {path.get("class"): path.get("d").split() for path in self.root.iter(SVG + "path")}
        for dtype, ridge, peak in (("f32", 10, 200), ("bf16", 20, 400)):
            x, y = (float(word) for word in paths[f"roof {dtype}"][4:6])
            self.assertAlmostEqual(x, roofline.x_of(ridge), delta=.1)
            self.assertAlmostEqual(y, roofline.y_of(peak), delta=.1)

    def test_numbers_do_not_cover_each_other(self):
        places = [(float(text.get("x")), float(text.get("y"))) for text in self.root.iter(SVG + "text")
                  if text.get("class") == "number"]
        self.assertEqual(len(places), 9)
        for i, (x, y) in enumerate(places):
            for a, b in places[:i]:
                self.assertTrue(abs(x - a) > 10 or abs(y - b) > 10)

    def test_the_caption_is_escaped_and_kept(self):
        self.assertIn("Test CPU <&> abc1234, bench/cpu/run", "".join(self.root.itertext()))


class Works(unittest.TestCase):
    SIZE = works.Size(context=32768, repeats=9, few=5, compiles=5, rounds=3, isas=("avx2", "avx512"))

    def test_every_row_has_runs_of_its_own(self):
        for name, row in works.ROWS.items():
            runs = row(self.SIZE)
            self.assertTrue(runs, name)
            self.assertEqual({run.row for run in runs}, {name})

    def test_routed_models_are_measured_with_forced_modes(self):
        for row in works.ROWS.values():
            for run in row(self.SIZE):
                self.assertEqual("--fractions" in run.options, run.model.config == "routed", run)

    def test_each_long_dense_run_lies_between_two_of_the_same_routed_model(self):
        runs = works.long(self.SIZE)
        for i, run in enumerate(runs):
            if run.model.config == "dense":
                self.assertEqual(runs[i - 1].model, runs[i + 1].model)
                self.assertEqual((runs[i - 1].model.config, runs[i - 1].model.dtype), ("routed", run.model.dtype))

    def test_launches_are_summed_by_kernel(self):
        run = script(HERE, "run")
        def launch(kernel, nanoseconds):
            return {"op": "chimera.linear", "kernel": kernel, "calls": 2, "nanoseconds": nanoseconds,
                    "cost": {"flops": 10.0, "matrix_flops": 8.0, "bytes": 4.0}}
        result = run.shorten({"results": [{"profile": {"seconds": 1.0, "launches": [
            launch("a", 5), launch("a", 7), launch("b", 1), launch("a", 900)]}}, {}]})
        a, b = result["results"][0]["profile"]["kernels"]
        self.assertEqual((a["launches"], a["calls"], a["nanoseconds"], a["median_nanoseconds"], a["flops"], a["bytes"]),
                         (3, 6, 912, 7, 30.0, 12.0))
        self.assertEqual((b["kernel"], b["launches"], b["matrix_flops"]), ("b", 1, 8.0))

    def test_a_missing_program_is_one_line(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, os.path.join(HERE, "run"), "--bin", folder, "--output",
                                   os.path.join(folder, "x.json")], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("no program chimera-compile", done.stderr)


if __name__ == "__main__":
    unittest.main()
