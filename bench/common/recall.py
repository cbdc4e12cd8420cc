# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Multi-query associative recall for compiled models: sequences that chimera-train never made. The layout is
docs/training.md's `mqar`."""

import dataclasses
import random
from dataclasses import dataclass

FIRST_KEY = 2  # 0 and 1 are fillers and markers of other tasks
CLASSES = ("key", "value", "query", "filler")


@dataclass(frozen=True)
class Layout:
    """What a sequence holds: T tokens, pairs, questions; and the vocabulary's keys (as many values) and words."""

    seq: int
    pairs: int
    queries: int
    keys: int
    vocabulary: int

    def data(self):
        """The same for chimera-train --data."""
        return f"mqar:pairs={self.pairs},queries={self.queries},keys={self.keys},vocab={self.vocabulary}"


@dataclass(frozen=True)
class Recipe(Layout):
    """The sequences of a training and how many are seen: a batch in each step."""

    steps: int
    batch: int = 64

    def options(self, seed):
        """What decides the trained weights beside the config: see trainings.train_command."""
        return {"data": self.data(), "steps": self.steps, "batch": self.batch, "seq": self.seq, "seed": seed}

    def shortened(self, steps):
        """The same with so many steps."""
        return dataclasses.replace(self, steps=steps)


@dataclass(frozen=True)
class Sequence:
    """T tokens, the class of each position, and at questions {position: the value's token}."""

    tokens: list
    classes: list
    answers: dict


def sequence(layout, source):
    """One sequence from a random.Random."""
    values = FIRST_KEY + layout.keys
    fillers = values + layout.keys
    tokens = [source.randrange(fillers, layout.vocabulary) for _ in range(layout.seq)]
    classes, answers = ["filler"] * layout.seq, {}
    keys = source.sample(range(layout.keys), layout.pairs)
    bound = [source.randrange(layout.keys) for _ in keys]
    for i, (key, value) in enumerate(zip(keys, bound)):
        tokens[2 * i:2 * i + 2] = [FIRST_KEY + key, values + value]
        classes[2 * i:2 * i + 2] = ["key", "value"]
    slots = source.sample(range((layout.seq - 2 * layout.pairs) // 2), layout.queries)
    for slot, asked in zip(slots, source.sample(range(layout.pairs), layout.queries)):
        at = 2 * layout.pairs + 2 * slot
        tokens[at], classes[at] = FIRST_KEY + keys[asked], "query"
        answers[at] = values + bound[asked]
    return Sequence(tokens, classes, answers)


def sequences(layout, count, seed=20):
    """So many sequences, the same for every contender."""
    source = random.Random(seed)
    return [sequence(layout, source) for _ in range(count)]


def count_right(found, logits, vocabulary):
    """(right, asked): the questions whose value has the highest of the logits [B, T, vocabulary], which are flat."""
    right = asked = 0
    for b, one in enumerate(found):
        for at, answer in one.answers.items():
            start = (b * len(one.tokens) + at) * vocabulary
            row = logits[start:start + vocabulary]
            right += row.index(max(row)) == answer
            asked += 1
    return right, asked
