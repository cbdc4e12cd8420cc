#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""check-docs.py ROOT: every relative link in a page leads to a file, and every test that docs/causality.md names exists."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
faults = []

folders = ["", "docs", "examples", "dialect", "passes", "codegen", "runtime", "tools", "test"]
pages = [page for folder in folders for page in sorted((root / folder).glob("*.md"))]
for page in pages:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        if not (page.parent / target).exists():
            faults.append(f"{page.relative_to(root)}: no file '{target}'")

sources = "\n".join(source.read_text() for source in sorted((root / "test").glob("*/*.cpp")))
defined = set(re.findall(r"^(?:TYPED_)?TEST(?:_[FP])?\((\w+), (\w+)\)", sources, re.MULTILINE))
named = re.findall(r"`([A-Z]\w+)\.([A-Z]\w+)`", (root / "docs/causality.md").read_text())
for suite, case in named:
    if (suite, case) not in defined:
        faults.append(f"docs/causality.md: no test '{suite}.{case}'")

for fault in faults:
    print(fault)
print(f"{len(pages)} pages, {len(named)} tests named, {len(faults)} faults")
sys.exit(1 if faults or not named else 0)
