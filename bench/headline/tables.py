# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables of the headline, in markdown, from what bench/headline/run stored."""

import outcomes
import works
from pages import percent, table

CONTEXT = {"seq": "T", "pairs": "pairs"}


class Results(outcomes.Outcomes):
    def __init__(self, data):
        super().__init__(data, works.CONTENDERS)


def share(entry):
    return entry["right"] / entry["asked"]


def two_digits(number):
    return percent(number, 2)


def training(results):
    return outcomes.training(results, "accuracy at T 64", lambda entry: two_digits(entry["accuracy"]))


def recall(results):
    return outcomes.by_contender(results, "recall", CONTEXT, lambda entry: (share(entry), two_digits),
                                 ("questions per seed", lambda entries: max(entry["asked"] for entry in entries)))


def beside_dense(results):
    """Of each context: by how much chimera's accuracy differs from dense's of the same seed, at worst, in points."""
    rows = []
    for context in results.contexts("recall", CONTEXT):
        dense = {one["seed"]: share(one) for one in results.of("recall", contender="dense", **context)}
        found = [100 * (share(one) - dense[one["seed"]])
                 for one in results.of("recall", contender="chimera", **context) if one["seed"] in dense]
        if found:
            rows.append((*context.values(), len(found), f"{min(found):+.2f}", f"{max(found):+.2f}"))
    return table(("T", "pairs", "seeds", "least", "greatest"), rows, range(5)) if rows else ""


def caches(results):
    return outcomes.caches(results, "recall", CONTEXT)


def speed(results):
    return outcomes.speed(results, CONTEXT)


TABLES = {"where": outcomes.where, "training": training, "recall": recall, "beside-dense": beside_dense,
          "caches": caches, "speed": speed, "commands": outcomes.commands}
