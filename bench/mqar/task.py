# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Associative recall a second time, for the compiled models: sequences that chimera-train never made. The layout is
docs/training.md's `mqar`."""

import random
from dataclasses import dataclass

import arrays
import works

FIRST_KEY = 2  # 0 and 1 are fillers and markers of other tasks


@dataclass(frozen=True)
class Sequence:
    """T tokens, the class of each position, and at questions {position: the value's token}."""

    tokens: list
    classes: list
    answers: dict


def sequence(size, source):
    """One sequence from a random.Random."""
    values = FIRST_KEY + works.KEYS
    fillers = values + works.KEYS
    tokens = [source.randrange(fillers, works.VOCABULARY) for _ in range(size.seq)]
    classes, answers = ["filler"] * size.seq, {}
    keys = source.sample(range(works.KEYS), size.pairs)
    bound = [source.randrange(works.KEYS) for _ in keys]
    for i, (key, value) in enumerate(zip(keys, bound)):
        tokens[2 * i:2 * i + 2] = [FIRST_KEY + key, values + value]
        classes[2 * i:2 * i + 2] = ["key", "value"]
    slots = source.sample(range((size.seq - 2 * size.pairs) // 2), size.queries)
    for slot, asked in zip(slots, source.sample(range(size.pairs), size.queries)):
        at = 2 * size.pairs + 2 * slot
        tokens[at], classes[at] = FIRST_KEY + keys[asked], "query"
        answers[at] = values + bound[asked]
    return Sequence(tokens, classes, answers)


def sequences(size, count, seed=20):
    """So many sequences, the same for every contender."""
    source = random.Random(seed)
    return [sequence(size, source) for _ in range(count)]


def tokens(found):
    """(shape, ids): the sequences' tokens, [B, T]."""
    return (len(found), len(found[0].tokens)), [token for one in found for token in one.tokens]


def write_tokens(path, found):
    """The same as a file."""
    arrays.write_tokens(path, *tokens(found))
