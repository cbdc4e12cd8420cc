# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How pip builds the package: CMake builds the runtime, without LLVM, and the extension, and installs them as a wheel
has them. CXX names the compiler; without it clang++-19 is taken where it is there."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = pathlib.Path(__file__).resolve().parent.parent


class BuildByCMake(build_ext):
    """Builds the extension in the tree of the sources that this file lies in."""

    def build_extension(self, extension):
        build = pathlib.Path(self.build_temp).resolve()
        site = pathlib.Path(self.get_ext_fullpath(extension.name)).resolve().parent.parent
        options = {"CMAKE_BUILD_TYPE": "Release", "CHIMERA_COMPILER": "OFF", "CHIMERA_BUILD_TESTS": "OFF",
                   "CHIMERA_PYTHON_EXECUTABLE": sys.executable, "CHIMERA_PYTHON_INSTALL_DIR": site}
        if not os.environ.get("CXX") and shutil.which("clang++-19"):
            options["CMAKE_CXX_COMPILER"] = "clang++-19"
        generator = ["-G", "Ninja"] if shutil.which("ninja") else []
        jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL") or str(len(os.sched_getaffinity(0)))
        for command in (["cmake", "-S", str(ROOT), "-B", str(build), *generator,
                         *(f"-D{name}={value}" for name, value in options.items())],
                        ["cmake", "--build", str(build), "--target", "chimera-python", "-j", jobs],
                        ["cmake", "--install", str(build), "--component", "python"]):
            subprocess.run(command, check=True)


def version():
    """What the root CMakeLists.txt says."""
    return re.search(r"project\(chimera VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)


setup(version=version(), packages=["chimera"], package_data={"chimera": ["*.pyi", "py.typed"]},
      ext_modules=[Extension("chimera._native", sources=[])], cmdclass={"build_ext": BuildByCMake})
