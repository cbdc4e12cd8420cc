# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models: what they say of themselves, how they are opened and closed, what damage does."""
import gc
import json
import os
import pathlib
import pickle
import random
import shutil
import subprocess
import tempfile
import unittest

import chimera
import support
from support import FOLDER, LONG, binary, tokens


class InfoTest(unittest.TestCase):
    def test_info_is_what_inspect_says(self):
        model = chimera.Model(binary("f32"))
        manifest = json.loads(support.tool("inspect", binary("f32"), "--json"))
        self.assertEqual(model.manifest, manifest)
        self.assertEqual((model.vocab_size, model.layers, model.dtype, model.logits_dtype), (256, 2, "f32", "f32"))
        self.assertEqual((model.max_tokens, model.max_seqs), (16, 2))
        self.assertEqual(model.modes, (("ssm", "swa", "full", "identity"),) * 2)
        self.assertEqual(model.forceable, model.modes)
        self.assertEqual((model.bos_token_id, model.eos_token_ids, model.max_positions), (None, (), None))
        self.assertEqual(model.sampling, {"temperature": 0, "top_k": 0, "top_p": 1})
        info = model.info
        self.assertEqual(info["limits"], {"max_tokens": 16, "max_seqs": 2})
        self.assertEqual(info["target"], "ref")
        self.assertEqual({cache["mode"] for cache in info["caches"]} & {"ssm", "swa", "full"}, {"ssm", "swa", "full"})
        ssm = [cache for cache in info["caches"] if cache["mode"] == "ssm"]
        self.assertTrue(all(cache["bytes_per_sequence"] > 0 for cache in ssm))

    def test_dtypes_and_tokens(self):
        model = chimera.Model(binary("f64"))
        self.assertEqual((model.dtype, model.logits_dtype, model.bos_token_id), ("f64", "f64", 7))
        self.assertEqual(chimera.Model(binary("chat")).eos_token_ids, (0,))

    def test_digest_tells_weights_apart(self):
        first, again = chimera.Model(binary("f32")), chimera.Model(binary("f32"))
        other = chimera.Model(binary("f32"), weights=FOLDER / "other")
        self.assertEqual(len(first.digest()), 16)
        self.assertEqual(first.digest(), again.digest())
        self.assertNotEqual(first.digest(), other.digest())
        self.assertEqual(first.unused_tensors, [])

    def test_version(self):
        said = support.tool("run", "--version").decode().split()[1]
        self.assertEqual(chimera.__version__, said)


class OpeningTest(unittest.TestCase):
    def test_forms_of_path(self):
        for path in (binary("f32"), str(binary("f32")), binary("f32").read_bytes()):
            model = chimera.Model(path, weights=FOLDER / "f32" / "model.safetensors")
            self.assertEqual(model.vocab_size, 256)
            self.assertEqual(model.generate([1, 2], 2).tokens.shape, (2,))

    def test_without_weights_it_can_be_looked_at(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(binary("f32"), folder)
            model = chimera.Model(pathlib.Path(folder) / "model.chm")
            self.assertEqual(model.layers, 2)
            with self.assertRaises(chimera.Error):
                model.session()
            with self.assertRaisesRegex(chimera.Error, "without weights"):
                model.digest()

    def test_wrong_arguments(self):
        for arguments, error in (((3,), TypeError), ((None,), TypeError), (("a\0b",), ValueError)):
            with self.assertRaises(error):
                chimera.Model(*arguments)
        with self.assertRaises(TypeError):
            chimera.Model(binary("f32"), weights=3)
        model = chimera.Model(binary("f32"))
        for options, error in (({"threads": 0}, ValueError), ({"threads": 1.5}, TypeError),
                               ({"threads": "2"}, TypeError), ({"max_sequences": -1}, ValueError),
                               ({"memory_limit": 0}, ValueError),
                               ({"memory_limit": 2**70}, ValueError), ({"threads": True}, TypeError)):
            with self.assertRaises(error, msg=options):
                model.session(**options)

    def test_missing_files(self):
        with self.assertRaisesRegex(chimera.Error, "nothing.chm"):
            chimera.Model(FOLDER / "nothing.chm")
        with self.assertRaisesRegex(chimera.Error, "nothing"):
            chimera.Model(binary("f32"), weights=FOLDER / "nothing")
        with self.assertRaisesRegex(chimera.Error, "config.json"):
            chimera.Model(FOLDER / "f32" / "config.json")

    def test_names_that_are_not_utf8(self):
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(os.fsencode(folder), b"\xff.chm")
            with self.assertRaisesRegex(chimera.Error, "xff"):
                chimera.Model(os.fsdecode(name))
            shutil.copy(binary("f32"), name)
            self.assertEqual(chimera.Model(os.fsdecode(name)).layers, 2)

    def test_weights_of_another_model(self):
        with self.assertRaises(chimera.Error):
            chimera.Model(binary("f32"), weights=FOLDER / "chat")

    def test_damaged_files_are_errors(self):
        chance = random.Random(1)
        content = binary("f32").read_bytes()
        weights = (FOLDER / "f32" / "model.safetensors").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            damaged = pathlib.Path(folder) / "damaged.safetensors"
            for _ in range(400 if LONG else 40):
                at = chance.randrange(len(content))
                for bad in (content[:at], content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) +
                            content[at + 1:]):
                    with self.assertRaises(chimera.Error):
                        chimera.Model(bad)
                damaged.write_bytes(weights[:chance.randrange(len(weights))])
                with self.assertRaises(chimera.Error):
                    chimera.Model(binary("f32"), weights=damaged)


class ClosingTest(unittest.TestCase):
    def test_a_closed_model_is_an_error_and_its_sessions_go_on(self):
        model = chimera.Model(binary("f32"))
        session = model.session(threads=1)
        sequence = session.add()
        before = sequence.step([1, 2, 3]).logits
        model.close()
        self.assertTrue(model.closed)
        for use in (model.session, model.digest, lambda: model.info, lambda: model.tokenizer,
                    lambda: model.generate([1])):
            with self.assertRaisesRegex(chimera.Error, "closed"):
                use()
        del model
        gc.collect()
        self.assertTrue((session.add().step([1, 2, 3]).logits == before).all())

    def test_with_closes(self):
        with chimera.Model(binary("f32")) as model:
            self.assertFalse(model.closed)
        self.assertTrue(model.closed)

    def test_errors_are_pickled(self):
        error = pickle.loads(pickle.dumps(chimera.Error("what", "limit")))
        self.assertEqual((str(error), error.kind), ("what", "limit"))


class ExtensionTest(unittest.TestCase):
    def test_exports_nothing_but_its_start(self):
        from chimera import _native
        listed = subprocess.run(["nm", "-D", "--defined-only", _native.__file__], stdout=subprocess.PIPE, text=True,
                                check=True).stdout
        names = {line.split()[-1] for line in listed.splitlines()}
        self.assertEqual({name for name in names if "chimera" in name}, set())
        self.assertIn("PyInit__native", names)

    def test_stub_names_what_is_there(self):
        import ast
        from chimera import _native
        stub = ast.parse(pathlib.Path(_native.__file__).with_name("_native.pyi").read_text())
        classes = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
        self.assertEqual(set(classes), {name for name in dir(_native) if isinstance(getattr(_native, name), type)})
        for name, node in classes.items():
            told = {method.name for method in node.body} - {"__init__"}
            self.assertEqual(told, {method for method in dir(getattr(_native, name)) if not method.startswith("_")})


class LeakTest(unittest.TestCase):
    def test_a_thousand_sessions_leave_nothing(self):
        model = chimera.Model(binary("f32"))

        def use(count):
            for _ in range(count):
                session = model.session(threads=2, max_sequences=4)
                sequence = session.add()
                sequence.step(tokens(4, 1), "all")
                sequence.fork()
                if count % 2:
                    session.close()
            gc.collect()

        def resident():
            return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        use(100)
        threads = len(os.listdir("/proc/self/task"))
        descriptors, objects, before = len(os.listdir("/proc/self/fd")), len(gc.get_objects()), resident()
        use(1000)
        self.assertEqual(len(os.listdir("/proc/self/fd")), descriptors)
        self.assertLess(len(gc.get_objects()) - objects, 100)
        self.assertLess(resident() - before, 8 << 20)
        self.assertEqual(len(os.listdir("/proc/self/task")), threads)


if __name__ == "__main__":
    unittest.main()
