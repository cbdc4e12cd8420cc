# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the paper's figures and tables are made of: bench/headline/results.json, and the tables between marks in the
pages of docs/, which the programs `report` of the benchmarks write."""

import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path += [os.path.join(ROOT, "bench", folder) for folder in ("headline", "common")]
import tables  # noqa: E402  (bench/headline)
import works  # noqa: E402  (bench/headline)

HEADLINE = os.path.join("bench", "headline", "results.json")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def headline(text=None):
    """The stored results of bench/headline, with the questions of bench/common/outcomes.py."""
    return tables.Results(json.loads(read(HEADLINE) if text is None else text))


def recipe():
    """How the contenders of bench/headline are trained."""
    return works.WHOLE.recipe


def config(*path):
    return json.loads(read(*path))


class Page:
    """The marked tables of a page of docs/."""

    def __init__(self, name, text=None):
        self.name, self.text = name, read("docs", name) if text is None else text

    def table(self, name):
        """The rows between `<!-- begin NAME -->` and `<!-- end NAME -->` as dictionaries by the head of their column;
        of columns with one head, the first. ValueError: there is no such table, or a row has other columns."""
        found = re.search(rf"<!-- begin {re.escape(name)} -->(.*?)<!-- end {re.escape(name)} -->", self.text, re.S)
        return self.rows(found.group(1) if found else "", f"table {name}")

    def table_under(self, heading):
        """The first table after a heading, which has no marks."""
        return self.rows(self.text.partition(f"# {heading}\n")[2].partition("\n#")[0], f"table under '{heading}'")

    def rows(self, text, what):
        lines = [line for line in text.splitlines() if line.startswith("|")]
        if len(lines) < 3:
            raise ValueError(f"docs/{self.name}: no {what}")
        head, _, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
        if any(len(row) != len(head) for row in rows):
            raise ValueError(f"docs/{self.name}: {what}: a row has other columns than its head")
        return [dict(reversed(list(zip(head, row)))) for row in rows]


def number(cell):
    """The first number of a cell: 97.6 of "97.6 % (96.7 % - 98.0 %)". ValueError: it has none."""
    found = re.search(r"-?\d+(?:\.\d+)?", cell)
    if not found:
        raise ValueError(f"no number in '{cell}'")
    return float(found.group())
