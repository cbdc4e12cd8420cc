# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The wheel: built by pip without network or LLVM, installed into a new virtual environment, and used there."""
import os
import pathlib
import sys
import tempfile
import unittest
import zipfile

import support
from support import FOLDER, LONG, SOURCE, binary

USE = """
import chimera, sys
assert sys.prefix in chimera.__file__, chimera.__file__
model = chimera.Model(sys.argv[1])
print(model.generate("In the", 5).tokens.tolist())
"""


@unittest.skipUnless(LONG, "builds the runtime anew: CHIMERA_LONG=1")
class WheelTest(unittest.TestCase):
    def test_a_wheel_in_a_new_environment(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
            support.run(sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-index", "--no-deps",
                        "--wheel-dir", folder, SOURCE / "python", env=environment)
            wheel, = folder.glob("chimera-*.whl")
            names = zipfile.ZipFile(wheel).namelist()
            for name in ("__init__.py", "_native.pyi", "py.typed", "lm_eval.py", "render-chat.py"):
                self.assertIn(f"chimera/{name}", names)
            self.assertEqual(len([name for name in names if name.startswith("chimera/_native.cpython")]), 1)
            support.run(sys.executable, "-m", "venv", "--system-site-packages", folder / "venv")
            python = folder / "venv" / "bin" / "python"
            support.run(python, "-m", "pip", "install", "--no-index", "--no-deps", wheel, env=environment)
            there = support.run(python, "-c", USE, binary("f32"), env=environment, cwd=folder)
        here = support.run(sys.executable, "-c", USE.replace("sys.prefix in", "sys.prefix and"), binary("f32"))
        self.assertEqual(there, here)


if __name__ == "__main__":
    unittest.main()
