# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What bench/headline compares: contenders, how they are trained, and the contexts that they are tried at."""

import json
import os
from dataclasses import dataclass

import contest
from recall import Layout, Recipe
from trainings import train_command

MQAR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "mqar")

# In the order of tables; dense comes first, all ratios are to it. Each is a config of bench/mqar with some keys
# changed. One full layer in four takes four layers, where the others have two.
CONTENDERS = {
    "dense": ("dense", {}),
    "ssm": ("ssm", {}),
    "window": ("window", {}),
    "hybrid-2": ("hybrid", {}),
    "hybrid-4": ("hybrid", {"num_hidden_layers": 4, "modes": [["ssm"], ["ssm"], ["full"], ["ssm"]]}),
    "chimera": ("chimera", {}),
}


@dataclass(frozen=True)
class Context(contest.Context):
    """Sequences so long with so many pairs, each asked for once."""

    pairs: int

    def key(self):
        return {**super().key(), "pairs": self.pairs}

    def __str__(self):
        return f"{super().__str__()}, {self.pairs} pairs"

    def layout(self, recipe):
        return Layout(self.seq, self.pairs, self.pairs, recipe.keys, recipe.vocabulary)


@dataclass(frozen=True)
class Cell(Context):
    """A context that trained models are tried at."""

    sequences: int


@dataclass(frozen=True)
class Speed(contest.Batched, Context):
    """A context at which prefill and decode are timed."""


@dataclass(frozen=True)
class Plan(contest.Plan):
    """`cells` are contexts that all models are tried at, `once` those for the first seed alone."""

    cells: tuple
    once: tuple = ()


def fitting(seq, pairs):
    """The numbers of pairs for which a sequence has room: a pair and its question take two places each."""
    return [number for number in pairs if 4 * number <= seq]


def cells(seq, questions, pairs):
    """Of a length: as many sequences as have so many questions, at least one."""
    return tuple(Cell(seq, number, max(1, questions // number)) for number in fitting(seq, pairs))


def speeds(seq, pairs, batches):
    return tuple(Speed(seq, number, batch) for number in fitting(seq, pairs) for batch in batches)


PAIRS = (8, 32, 128, 512)
WHOLE = Plan(
    Recipe(seq=64, pairs=8, queries=8, keys=640, vocabulary=2048, steps=6000), tuple(CONTENDERS),
    seeds=(0, 1, 2, 3, 4),
    speeds=speeds(1024, (8,), (1, 8)) + speeds(4096, (8,), (1, 8)) + speeds(32768, (8, 512), (1, 8)), rounds=5,
    cells=cells(64, 2048, (8,)) + cells(1024, 1024, PAIRS) + cells(4096, 1024, PAIRS) + cells(32768, 256, PAIRS),
    once=cells(131072, 32, (8, 512)))
# Five minutes of two cores. Fewer words are learnt sooner.
QUICK = Plan(
    Recipe(seq=64, pairs=8, queries=8, keys=40, vocabulary=128, steps=4000), ("dense", "chimera"),
    seeds=(0,), speeds=speeds(4096, (8,), (1, 8)), rounds=3,
    cells=cells(64, 1024, (8,)) + cells(1024, 256, (8, 32)) + cells(4096, 128, (8, 32)))


@dataclass(frozen=True)
class Work(contest.Work):
    """One training: a contender with a seed."""

    def config(self):
        base, own = CONTENDERS[self.contender]
        with open(os.path.join(MQAR, f"{base}.json"), encoding="utf-8") as file:
            return {**json.load(file), **contest.FAR, "vocab_size": self.recipe.vocabulary, **own}

    def command(self, config, out, threads):
        """The trainer's command line, given the file of the config."""
        return train_command(config, self.settings()["options"], out, threads)
