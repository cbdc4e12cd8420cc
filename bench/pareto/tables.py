# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables of text, in markdown, from what bench/pareto/run stored."""

from statistics import median

import outcomes
import text_models
import text_tables
import works
from outcomes import kv
from pages import kib, table
from text_tables import CONTEXT, four_digits


class Results(outcomes.Outcomes):
    """With what fronts ask."""

    def __init__(self, data):
        super().__init__(data, works.CONTENDERS)

    def quality(self, contender, seq):
        """(bits a byte, bytes of keys and values reserved), medians over the seeds; None where there is none."""
        found = self.of("text", contender=contender, seq=seq)
        return (median([one["bits"] for one in found]), median([kv(one)[0] for one in found])) if found else None


def is_static(contender):
    return not text_models.CONTENDERS[contender].full


def beside_static(results):
    """Of each routed contender: the best static one that has no more bytes of keys and values, and by how many bits a
    byte the routed one is better (-) or worse (+), and the greatest difference of two seeds of either."""
    rows = []
    for context in results.contexts("text", CONTEXT):
        seq = context["seq"]
        every = {name: results.quality(name, seq) for name in results.contenders("text")}
        for name, own in every.items():
            rivals = [one for one, found in every.items() if found and is_static(one) and own and found[1] <= own[1]]
            if is_static(name) or not own or not rivals:
                continue
            best = min(rivals, key=lambda one: every[one][0])
            seeds = [[one["bits"] for one in results.of("text", contender=who, seq=seq)] for who in (name, best)]
            rows.append((seq, name, four_digits(own[0]), kib(own[1]), best, four_digits(every[best][0]),
                         kib(every[best][1]), f"{own[0] - every[best][0]:+.4f}",
                         f"{max(max(one) - min(one) for one in seeds):.4f}"))
    return table(("T", "routed", "bits a byte", "KV, KiB", "best static with no more KV", "bits a byte", "KV, KiB",
                  "difference", "between seeds, at most"), rows, (0, 2, 3, 5, 6, 7, 8)) if rows else ""


def caches(results):
    return outcomes.caches(results, "text", CONTEXT)


TABLES = {"where": outcomes.where, "beside-static": beside_static, "bits": text_tables.bits, "caches": caches,
          "speed": text_tables.speed, "training": text_tables.training, "commands": outcomes.commands}
