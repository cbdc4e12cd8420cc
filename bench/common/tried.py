# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A trained and compiled model at a context: what it answers, its caches, and its speed there."""

import cache
from arrays import shape_and_ids
from programs import MODES, run_model, with_threads

MOST_TOKENS = 1 << 17  # of a call of chimera-run: their logits are in memory


def groups(found):
    """The sequences in calls of at most MOST_TOKENS, or of one."""
    size = max(1, MOST_TOKENS // len(found[0].tokens))
    return [found[i:i + size] for i in range(0, len(found), size)]


def try_model(call, folder, binary, found, score):
    """Runs the model on sequences of one length and calls score(sequences, their logits, vocabulary) for some after
    the others. Per sequence: entries of each layer's list, and the bytes of the caches by mode, [reserved, in use]."""
    entries, bytes_of = [], {}
    for group in groups(found):
        logits, vocabulary, routing, layers, stderr = run_model(call, binary, folder, folder, *shape_and_ids(group))
        score(group, logits, vocabulary)
        entries = entries or [0] * layers
        full = MODES.index("full")
        entries = [sum_ + routing[layer::layers].count(full) for layer, sum_ in enumerate(entries)]
        for mode, numbers in cache.read_stats(stderr).items():
            before = bytes_of.get(mode, (0, 0))
            bytes_of[mode] = [a + b for a, b in zip(before, numbers)]
    count = len(found)
    return {"sequences": count, "entries_by_layer": [one / count for one in entries],
            "bytes": {mode: [one / count for one in numbers] for mode, numbers in bytes_of.items()}}


def decoded(seq):
    """How many tokens of a timed sequence come one by one, after the others at once."""
    return min(1024, seq // 4)


def speed_command(folder, binary, speed, tokens, threads):
    """chimera-run of the `speed.batch` sequences of `speed.seq` tokens in that file."""
    words = ["chimera-run", binary, "--weights", folder, "--tokens", tokens, "--stats", "--max-sequences",
             str(speed.batch), "--schedule", f"chunks:{speed.seq - decoded(speed.seq)},1"]
    return with_threads(words, threads)
