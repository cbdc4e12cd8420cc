#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Damaged IR, through the parser, the verifiers and passes: it succeeds, or there is a line of error and status 1.

  mutate.py --opt PATH --compile PATH --source DIR [--count N] [and the options of sweep.py]

Takes the inputs of sweep.py, changes each a little (mutations.py), and runs the lot through a pass, a pair or a pipeline that is drawn
by the seed. --count is the number of mutations: 1000, and with --long 20000."""
import collections
import random
import sys
import time

import inputs
from mutations import Mutator
from runner import FAULTS, Faults, Input, MARKER, Opt
from sweep import arguments

LOT = 40
MOST_BYTES = 150_000  # of a model, so that a process is not busy with it alone


def main():
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int)
    options = parser.parse_args()
    opt, rng = Opt(options.opt, options.slowness, options.memory), random.Random(options.seed)
    faults = Faults(options.keep, opt)
    start = time.monotonic()
    models = inputs.models(options.compile, options.source, many=False)
    entries = inputs.valid(opt, inputs.test_parts(options.source) + [entry for entry in models if len(entry.text) < MOST_BYTES])
    # Also as generic ops, where nothing but a verifier stands between an attribute and a pass.
    entries += [Input(entry.name + " (generic)", outcome.output) for entry, outcome in
                zip(entries, opt.run(entries, ["--mlir-print-op-generic"])) if outcome.kind == "success"]
    runs = inputs.single_runs(options.source) + inputs.pair_runs(options.source) + 10 * inputs.compilation_runs()
    mutator = Mutator(rng, [entry.text for entry in entries])
    count, kinds, valid = options.count or (20000 if options.long else 1000), collections.Counter(), 0
    for begin in range(0, count, LOT):
        lot = []
        while len(lot) < min(LOT, count - begin):
            entry = rng.choice(entries)
            text = mutator.mutate(entry.text)
            if MARKER.encode() not in text:
                lot.append(Input(f"{entry.name} mutation {begin + len(lot)} seed {options.seed}", text))
        flags = rng.choice(runs)
        # What is refused by parser or verifier says nothing of the pass.
        read = [(entry, outcome) for entry, outcome in zip(lot, opt.run(lot, []))]
        for entry, outcome in read:
            faults.judge(entry, [], outcome)
        good = [entry for entry, outcome in read if outcome.kind == "success"]
        valid += len(good)
        kinds.update(outcome.kind for _, outcome in read if outcome.kind in FAULTS)
        for entry, outcome in zip(good, opt.run(good, flags)):
            kinds[outcome.kind] += 1
            faults.judge(entry, flags, outcome)
    faults.summary()
    print(f"{count} mutations, seed {options.seed}: {valid} are valid; passes over them: {dict(kinds)}; {faults.found} faults, "
          f"{opt.processes} processes, {time.monotonic() - start:.0f} s")
    return 1 if faults.found else 0


if __name__ == "__main__":
    sys.exit(main())
