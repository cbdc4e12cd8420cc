# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is measured of a trained and compiled model: recall and caches at a context, and the speed there."""

import os

import cache
import recall
from logs import read_run
from programs import MODES, run_model, with_threads

MOST_TOKENS = 1 << 17  # of a call of chimera-run: their logits are in memory


def trained(folder, recipe):
    """What the log says of a finished run. ValueError: it did not reach its last step."""
    records, evaluations = read_run(folder, recipe.steps)
    return {"parameters": records[0]["parameters"], "accuracy": evaluations[-1]["hard"]["accuracy"]}


def groups(found):
    """The sequences in calls of at most MOST_TOKENS, or of one."""
    size = max(1, MOST_TOKENS // len(found[0].tokens))
    return [found[i:i + size] for i in range(0, len(found), size)]


def at_context(call, folder, binary, layout, count):
    """Of so many sequences: right and asked questions; per sequence, entries of each layer's list, and the bytes of
    the caches by mode, [reserved, in use]."""
    right = asked = 0
    entries, bytes_of = [], {}
    for found in groups(recall.sequences(layout, count)):
        logits, vocabulary, routing, layers, stderr = run_model(call, binary, folder, folder, *recall.tokens(found))
        of_group = recall.count_right(found, logits, vocabulary)
        right, asked = right + of_group[0], asked + of_group[1]
        entries = entries or [0] * layers
        full = MODES.index("full")
        entries = [sum_ + routing[layer::layers].count(full) for layer, sum_ in enumerate(entries)]
        for mode, numbers in cache.read_stats(stderr).items():
            before = bytes_of.get(mode, (0, 0))
            bytes_of[mode] = [a + b for a, b in zip(before, numbers)]
    return {"sequences": count, "right": right, "asked": asked, "entries_by_layer": [one / count for one in entries],
            "bytes": {mode: [one / count for one in numbers] for mode, numbers in bytes_of.items()}}


def speed_command(folder, binary, speed, tokens, threads):
    words = ["chimera-run", binary, "--weights", folder, "--tokens", tokens, "--stats", "--max-sequences",
             str(speed.batch), "--schedule", f"chunks:{speed.seq - speed.decoded()},1"]
    return with_threads(words, threads)


def write_tokens(folder, recipe, speed):
    """The path of a file with the speed's sequences."""
    path = os.path.join(folder, f"T{speed.seq}-pairs{speed.pairs}-batch{speed.batch}.npy")
    recall.write_tokens(path, recall.sequences(speed.layout(recipe), speed.batch))
    return path
