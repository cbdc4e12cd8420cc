# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is compared: contenders, sizes, and for each run the command line and the digest of its settings."""

import json
import os
from dataclasses import dataclass

from recall import Recipe
from trainings import digest, train_command

HERE = os.path.dirname(os.path.abspath(__file__))

# In the order of tables and figures; dense comes first, all ratios are to it. The names are those of the configs.
CONTENDERS = ("dense", "ssm", "window", "hybrid", "chimera")


@dataclass(frozen=True)
class Size(Recipe):
    """A length of sequences; the same for all contenders."""

    evaluated: int = 0  # held-out sequences of an evaluation, 0: as the config says
    compiled: int = 256  # sequences that the compiled model is tried on


# Steps may differ from size to size. A config NAME-SEQ.json, where there is one, stands for NAME.json at that size.
WORDS = {"keys": 40, "vocabulary": 128}
SIZES = {64: Size(seq=64, pairs=8, queries=8, steps=4000, **WORDS),
         128: Size(seq=128, pairs=16, queries=16, steps=4000, **WORDS)}
QUICK = {16: Size(seq=16, pairs=2, queries=2, steps=2, batch=4, evaluated=16, compiled=16, **WORDS)}


@dataclass(frozen=True)
class Work:
    """One training: a contender at a size with a seed."""

    size: Size
    contender: str
    seed: int

    def key(self):
        """What tells its entries in the file of results from those of others."""
        return {"size": self.size.seq, "contender": self.contender, "seed": self.seed}

    def name(self):
        return f"T{self.size.seq}-{self.contender}-{self.seed}"

    def config(self):
        """The path of the config.json."""
        own = os.path.join(HERE, f"{self.contender}-{self.size.seq}.json")
        return own if os.path.exists(own) else os.path.join(HERE, f"{self.contender}.json")

    def settings(self):
        """What decides the trained weights: the config and the options, without paths or threads."""
        with open(self.config(), encoding="utf-8") as file:
            config = json.load(file)
        options = self.size.options(self.seed)
        if self.size.evaluated:
            options["evaluated"] = self.size.evaluated
        return {"config": config, "options": options}

    def digest(self):
        return digest(self.settings())

    def command(self, out, threads):
        return train_command(self.config(), self.settings()["options"], out, threads)


def works(sizes, contenders, seeds):
    """All trainings, seed by seed, so that an interrupted comparison has whole seeds."""
    return [Work(size, contender, seed) for seed in seeds for size in sizes for contender in contenders]
