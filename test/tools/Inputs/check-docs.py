#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""check-docs.py ROOT: every relative link in a page leads to a file, docs/README.md lists every page of docs/, every test
that docs/causality.md names exists, and every constant of docs/versions.md is where the page says."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
faults = []

folders = ["", "docs", "docs/paper", "examples", "dialect", "passes", "codegen", "runtime", "tools", "test", "bench", "cmake", "python"]
pages = [page for folder in folders for page in sorted((root / folder).glob("*.md"))]
for page in pages:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        if not (page.parent / target).exists():
            faults.append(f"{page.relative_to(root)}: no file '{target}'")

listed = (root / "docs/README.md").read_text()
for page in sorted((root / "docs").glob("*.md")):
    if page.name != "README.md" and f"]({page.name})" not in listed:
        faults.append(f"docs/README.md does not list {page.name}")

constants = re.findall(r"`(\w+)` in `([\w/.-]+)`", (root / "docs/versions.md").read_text())
for constant, name in constants:
    source = root / name
    if not source.exists() or not re.search(rf"\b{constant}\b", source.read_text()):
        faults.append(f"docs/versions.md: no '{constant}' in '{name}'")

sources = "\n".join(source.read_text() for source in sorted((root / "test").glob("*/*.cpp")))
defined = set(re.findall(r"^(?:TYPED_)?TEST(?:_[FP])?\((\w+), (\w+)\)", sources, re.MULTILINE))
named = re.findall(r"`([A-Z]\w+)\.([A-Z]\w+)`", (root / "docs/causality.md").read_text())
for suite, case in named:
    if (suite, case) not in defined:
        faults.append(f"docs/causality.md: no test '{suite}.{case}'")

for fault in faults:
    print(fault)
print(f"{len(pages)} pages, {len(named)} tests and {len(constants)} constants named, {len(faults)} faults")
sys.exit(1 if faults or not named or not constants else 0)
