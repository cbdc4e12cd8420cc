# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Decode speed of the trained models, all contenders of a size side by side.

The machine's speed drifts by more than what is compared, so contenders take turns: a round measures each of them once,
the next round starts with another, and ratios are taken within a round. Two works:

- "bench": chimera-bench, a full context and the routers' choice. Its tokens are random, so that a router sees keys,
  values and fillers anywhere and may choose otherwise than in a sequence of the task; its shares are kept.
- "task": chimera-run over whole sequences of the task, a token a step from an empty cache, as they are routed there."""

import json
import os

import arrays
import recall
from programs import read_speeds, with_threads
from trainings import in_turn

BATCHES = (1, 16)


def bench_command(folder, size, threads):
    tokens = min(16, size.seq // 2)
    words = ["chimera-bench", os.path.join(folder, "model.chm"), "--weights", folder,
             "--decode-context", str(size.seq - tokens), "--decode-tokens", str(tokens),
             "--batch", ",".join(str(batch) for batch in BATCHES), "--repeats", "9", "--format", "json"]
    return with_threads(words, threads)


def task_command(folder, batch, threads):
    words = ["chimera-run", os.path.join(folder, "model.chm"), "--weights", folder,
             "--tokens", os.path.join(folder, f"batch{batch}.npy"), "--schedule", "decode", "--stats"]
    return with_threads(words, threads)


def measure(call, folder, size, threads):
    """Of one contender in one round: {"bench": {batch: tokens/s}, "task": .., "shares": {batch: {mode: share}}}."""
    results = json.loads(call(bench_command(folder, size, threads))[0])["results"]
    one = {"bench": {str(result["batch"]): result["tokens_per_second"]["median"] for result in results},
           "shares": {str(result["batch"]): result["shares"] for result in results}, "task": {}}
    for batch in BATCHES:
        # A sequence takes milliseconds: the best of a few runs is one that nothing interrupted.
        speeds = [read_speeds(call(task_command(folder, batch, threads))[1])["decode"] for _ in range(3)]
        one["task"][str(batch)] = max(speeds)
    return one


def rounds(call, folders, size, threads, count):
    """{contender: [measurement of each round]} of the models in {contender: folder}."""
    for folder in folders.values():
        for batch in BATCHES:
            arrays.write_sequences(os.path.join(folder, f"batch{batch}.npy"), recall.sequences(size, batch))
    return in_turn(folders, count, lambda name: measure(call, folders[name], size, threads))
