#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every pass on every valid input: it succeeds, and what it gives is valid, or there is a line of error and status 1.

  sweep.py --opt PATH --compile PATH --source DIR [--keep DIR] [--seed N] [--runs N] [--long] [--every-pair] [--slowness N]

Inputs are the parts of test/dialect and test/passes that verify, and models of examples/ and bench/ at each level. Runs are
each pass alone (with its defaults and with the options that tests give it), every ordered pair of passes, and the real
pipelines. Without --long a sample drawn by the seed: --runs of the runs, each on some of the inputs. With --long all runs,
each on all inputs, but pairs of different passes on some; with --every-pair these too on all, which takes hours."""
import argparse
import os
import random
import sys
import time

import inputs
from runner import Faults, Opt, Outcome


SAMPLE = 40  # inputs of a run, where not all are taken


def arguments(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opt", required=True, help="the chimera-opt to test")
    parser.add_argument("--compile", required=True, help="the chimera-compile that prints models")
    parser.add_argument("--source", required=True, help="the root of the sources")
    parser.add_argument("--keep", default="opt-sweep-faults", help="where inputs that show a fault are kept")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("CHIMERA_SEED", "1")))
    parser.add_argument("--long", action="store_true", default=bool(os.environ.get("CHIMERA_LONG")))
    parser.add_argument("--slowness", type=float, default=1, help="how much longer than a release build the tool may take")
    parser.add_argument("--memory", type=int, default=8, help="GiB of addresses that it may take; 0: any number")
    return parser


def check(opt, lot, flags, faults):
    """One run over some inputs, and the validity of what it gives. Returns how many succeeded."""
    outcomes = opt.run(lot, flags)
    given = []
    for entry, outcome in zip(lot, outcomes):
        faults.judge(entry, flags, outcome)
        if outcome.kind == "success":
            given.append((entry, inputs.Input(entry.name, outcome.output)))
    for (entry, _), outcome in zip(given, opt.run([output for _, output in given], [])):
        if outcome.kind != "success":
            faults.add(entry, flags, Outcome("invalid", f"{outcome.kind} {outcome.output[:500]}"))
    return len(given)


def is_mixed_pair(flags, pairs):
    return flags in pairs and flags[0] != flags[1]


def main():
    parser = arguments(__doc__)
    parser.add_argument("--every-pair", action="store_true", help="each pair of passes on every input; implies --long")
    parser.add_argument("--runs", type=int, default=50, help="how many runs a sample has")
    options = parser.parse_args()
    options.long |= options.every_pair
    opt, rng = Opt(options.opt, options.slowness, options.memory), random.Random(options.seed)
    faults = Faults(options.keep, opt)
    start = time.monotonic()
    parts = inputs.test_parts(options.source)
    entries = inputs.valid(opt, parts + inputs.models(options.compile, options.source, options.long))
    pairs = inputs.pair_runs(options.source)
    runs = inputs.single_runs(options.source) + pairs + inputs.compilation_runs()
    rng.shuffle(runs)
    runs = runs if options.long else runs[:options.runs]
    print(f"{len(parts)} parts of tests, {len(entries)} valid inputs, {len(runs)} runs, seed {options.seed}", flush=True)
    cases = succeeded = 0
    for flags in runs:
        rng.shuffle(entries)
        # A sample takes some of the inputs for each run: more runs show more than more inputs.
        all_inputs = options.every_pair or (options.long and not is_mixed_pair(flags, pairs))
        for lot in inputs.lots(entries if all_inputs else entries[:SAMPLE]):
            succeeded += check(opt, lot, flags, faults)
            cases += len(lot)
    faults.summary()
    print(f"{cases} cases of {len(runs)} runs, {succeeded} succeeded, {cases - succeeded - faults.found} ended in an error, "
          f"{faults.found} faults, {opt.processes} processes, {time.monotonic() - start:.0f} s")
    return 1 if faults.found or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
