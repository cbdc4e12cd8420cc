# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""chimera.compile and chimera.train: the programs' results, messages and options."""
import json
import os
import pathlib
import stat
import tempfile
import unittest
from unittest import mock

import chimera
import support
from support import FOLDER

TRAIN = {"steps": 3, "batch": 2, "seq": 16, "target": "ref", "threads": 1}


class CompileTest(unittest.TestCase):
    def test_the_binary_of_the_program(self):
        with tempfile.TemporaryDirectory() as folder:
            output = pathlib.Path(folder) / "-made.chm"
            self.assertEqual(chimera.compile(FOLDER / "f32", output, target="ref", max_tokens=16, max_seqs=2), output)
            self.assertEqual(output.read_bytes(), support.binary("f32").read_bytes())
            made = chimera.compile(str(FOLDER / "f32"), str(output), target="ref", dtype="bf16",
                                   phases=["infer", "train"])
            self.assertEqual(chimera.Model(made).dtype, "bf16")

    def test_text_without_an_output(self):
        self.assertIn("chimera.mix", chimera.compile(FOLDER / "f32", emit="chimera", target="ref"))
        self.assertIn("hidden_size", chimera.compile(FOLDER / "f32", explain=True))

    def test_errors(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "config.json").write_text(json.dumps({**support.CONFIG, "hidden_size": -1}))
            output = folder / "made.chm"
            with self.assertRaisesRegex(chimera.Error, "hidden_size") as caught:
                chimera.compile(folder, output)
            self.assertEqual(caught.exception.kind, "program")
            with self.assertRaisesRegex(chimera.Error, "nothing"):
                chimera.compile(folder / "nothing", output)
            for options in ({"target": "no"}, {"no_such_option": 1}, {"max_tokens": 0}):
                with self.assertRaises(ValueError):
                    chimera.compile(FOLDER / "f32", output, **options)
            with self.assertRaises(TypeError):
                chimera.compile(FOLDER / "f32", output, max_tokens={})
            self.assertFalse(output.exists())

    def test_where_the_program_is(self):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "chimera-compile"
            with mock.patch.dict(os.environ, CHIMERA_COMPILE=str(program)):
                with self.assertRaisesRegex(chimera.Error, "CHIMERA_COMPILE"):
                    chimera.find_program("chimera-compile")
                program.write_text("#!/bin/sh\necho 'told by another' >&2\nexit 1\n")
                program.chmod(program.stat().st_mode | stat.S_IXUSR)
                with self.assertRaisesRegex(chimera.Error, "told by another"):
                    chimera.compile(FOLDER / "f32", "x.chm")
                program.write_text("#!/bin/sh\nkill -9 $$\n")
                with self.assertRaisesRegex(chimera.Error, "SIGKILL"):
                    chimera.compile(FOLDER / "f32", "x.chm")
            with mock.patch.dict(os.environ, PATH=folder), self.assertRaisesRegex(chimera.Error, "CHIMERA_NO_SUCH"):
                chimera.find_program("chimera-no-such")


class TrainTest(unittest.TestCase):
    def test_a_run_and_its_records(self):
        with tempfile.TemporaryDirectory() as folder:
            out, records = pathlib.Path(folder) / "run", []
            data = [f"0.5@{FOLDER / 'text.txt'}", f"0.5@{FOLDER / 'f32' / 'config.json'}"]
            made = chimera.train(FOLDER / "f32" / "config.json", str(FOLDER / "text.txt"), out, callback=records.append,
                                 seed=1, **TRAIN)
            self.assertEqual(made, out)
            written = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
            self.assertEqual(records, written)
            steps = [record["step"] for record in records if record.get("kind") == "step"]
            self.assertEqual(steps, [1, 2, 3])
            more = []
            chimera.train(FOLDER / "f32" / "config.json", str(FOLDER / "text.txt"), out, callback=more.append, seed=1,
                          resume=True, **{**TRAIN, "steps": 5})
            self.assertEqual([record["step"] for record in more if record.get("kind") == "step"], [4, 5])
            mixed = chimera.train(FOLDER / "f32" / "config.json", data, pathlib.Path(folder) / "mixed", **TRAIN)
            self.assertTrue((mixed / "model.safetensors").exists())
            chm = chimera.compile(out, out / "model.chm", target="ref")
            self.assertEqual(len(chimera.Model(chm).generate("In the", 4).tokens), 4)

    def test_an_exception_of_the_callback_ends_the_run(self):
        class Enough(Exception):
            pass

        def stop(record):
            raise Enough

        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "run"
            with self.assertRaises(Enough):
                chimera.train(FOLDER / "f32" / "config.json", str(FOLDER / "text.txt"), out, callback=stop,
                              **{**TRAIN, "steps": 100000})
            self.assertTrue((out / "model.safetensors").exists())  # It ended as after SIGTERM.

    def test_errors(self):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "run"
            with self.assertRaisesRegex(chimera.Error, "nothing.txt"):
                chimera.train(FOLDER / "f32" / "config.json", str(FOLDER / "nothing.txt"), out, **TRAIN)
            with self.assertRaisesRegex(ValueError, "steps"):
                chimera.train(FOLDER / "f32" / "config.json", "mqar", out, **{**TRAIN, "steps": -1})
            with self.assertRaises(ValueError):
                chimera.train(FOLDER / "f32" / "config.json", "mqar", out, no_such_option=True, **TRAIN)


if __name__ == "__main__":
    unittest.main()
