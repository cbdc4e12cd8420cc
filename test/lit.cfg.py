# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How lit runs the tests under test/ that are text: .mlir files with FileCheck lines, and .test files (shell)."""
import os

import lit.formats
import lit.util

config.name = "chimera"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "CMakeLists.txt", "lit.cfg.py", "lit.site.cfg.py", "support"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.chimera_build, "test", "lit")

# The project's tools first, then LLVM 19's FileCheck, not, count, ... whatever else is in PATH.
config.environment["PATH"] = os.path.pathsep.join(
    [config.chimera_tools, config.llvm_tools, config.environment["PATH"]])
# How the sanitizers report, and how much is to be tested.
for name in ("ASAN_OPTIONS", "ASAN_SYMBOLIZER_PATH", "UBSAN_OPTIONS", "CHIMERA_LONG"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

# A folder that was unpacked from an archive does not know which files are the project's.
if os.path.exists(os.path.join(config.chimera_source, ".git")):
    config.available_features.add("git")

config.substitutions.append(("%source", config.chimera_source))
config.substitutions.append(("%examples", os.path.join(config.chimera_source, "examples")))
config.substitutions.append(("%tools", config.chimera_tools))
