#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads the output of `ctest -V`, shows progress, and ends with `N passed, N failed, N skipped`.

Counts test cases: those of a GoogleTest binary one by one, those of a lit run one by one, anything else as one.
A GoogleTest case that never finished (a crash, a timeout) has failed, and so has a test that failed without
saying which of its cases did. The exit status is 0 if something passed and nothing failed.
"""
import re
import sys
from collections import namedtuple

Counts = namedtuple("Counts", "passed failed skipped")

OUTPUT = re.compile(r"^(\d+): ?(.*)$")
RESULT = re.compile(r"^\s*\d+/\d+ Test\s+#(\d+): (\S.*?) \.+\s*(?:\*\*\*)?(\S.*?)\s+([\d.]+) sec")
CASE = re.compile(r"^\[\s+(OK|FAILED|SKIPPED)\s+\] ([^\s,]+).* \((\d+) ms\)$")
RUNNING = re.compile(r"^\[==========\] Running (\d+) tests? from")
LIT = re.compile(r"^\s+(Passed|Passed With Retry|Expectedly Failed|Failed|Unresolved|Timed Out|Unexpectedly Passed"
                 r"|Unsupported|Skipped|Excluded)\s*:\s*(\d+)")
LIT_TOTAL = re.compile(r"^Total Discovered Tests: \d+")
LIT_PASSED = {"Passed", "Passed With Retry", "Expectedly Failed"}
LIT_SKIPPED = {"Unsupported", "Skipped", "Excluded"}

SLOW_MS = 5000  # a case slower than this gets its own line of progress
TAIL_LINES = 150  # of the output of a test that failed


def gtest_counts(lines, planned):
    """The counts of one GoogleTest run; planned is the number of cases that it announced."""
    outcome = {}
    for line in lines:
        if match := CASE.match(line):
            outcome[match.group(2)] = match.group(1)
    passed = sum(o == "OK" for o in outcome.values())
    skipped = sum(o == "SKIPPED" for o in outcome.values())
    return Counts(passed, max(planned, len(outcome)) - passed - skipped, skipped)


def lit_counts(lines):
    """The counts of one lit run, from its closing table."""
    passed = failed = skipped = 0
    table = False
    for line in lines:
        table = table or bool(LIT_TOTAL.match(line))
        match = LIT.match(line) if table else None
        if match is None:
            continue
        kind, number = match.group(1), int(match.group(2))
        if kind in LIT_PASSED:
            passed += number
        elif kind in LIT_SKIPPED:
            skipped += number
        else:
            failed += number
    return Counts(passed, failed, skipped)


def count(lines, status):
    """The counts of one ctest test. status: what ctest says of it, "Passed" or a kind of failure."""
    planned = [int(m.group(1)) for m in map(RUNNING.match, lines) if m]
    if status == "Skipped":
        return Counts(0, 0, 1)
    if planned:
        counts = gtest_counts(lines, sum(planned))
    elif any(map(LIT_TOTAL.match, lines)):
        counts = lit_counts(lines)
    else:
        counts = Counts(1, 0, 0) if status == "Passed" else Counts(0, 1, 0)
    if status != "Passed" and counts.failed == 0:
        counts = counts._replace(failed=1)
    return counts


def show(text):
    print(text, flush=True)


def main():
    lines = {}  # number of a ctest test -> its output so far
    total = Counts(0, 0, 0)
    broken = []
    for raw in sys.stdin.buffer:
        line = raw.decode("utf-8", "replace").rstrip("\n")
        if match := OUTPUT.match(line):
            text = match.group(2)
            lines.setdefault(match.group(1), []).append(text)
            case = CASE.match(text)
            if case and (case.group(1) == "FAILED" or int(case.group(3)) >= SLOW_MS):
                show(f"  {case.group(1).lower():8} {case.group(2)} ({int(case.group(3)) / 1000:.1f} s)")
        elif match := RESULT.match(line):
            number, name, status, seconds = match.groups()
            counts = count(lines.get(number, []), status)
            total = Counts(*(a + b for a, b in zip(total, counts)))
            show(f"{name}: {counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped ({seconds} s)")
            if counts.failed:
                broken.append((name, status, lines.get(number, [])))
            lines.pop(number, None)
        elif "No tests were found" in line or line.startswith("CMake Error"):
            show(line)
            total = total._replace(failed=total.failed + 1)
    for name, status, output in broken:
        show(f"\n=== {name}: {status}")
        for text in output[-TAIL_LINES:]:
            show(text)
    show(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 0 if total.passed > 0 and total.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
