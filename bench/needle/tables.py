# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables of needles in haystacks, in markdown, from what bench/needle/run stored."""

from statistics import median

import outcomes
import text_tables
import works
from outcomes import kv
from pages import percent, table
from text_tables import CONTEXT


class Results(outcomes.Outcomes):
    """With what maps ask."""

    def __init__(self, data):
        super().__init__(data, works.CONTENDERS)

    def map(self, contender):
        """{(seq, depth): share of the needles answered} over all seeds."""
        counts = {}
        for entry in self.of("needle", contender=contender):
            for depth, right, asked in entry["depths"]:
                before = counts.get((entry["seq"], depth), (0, 0))
                counts[entry["seq"], depth] = (before[0] + right, before[1] + asked)
        return {place: right / asked for place, (right, asked) in counts.items()}


def share(entry):
    return sum(right for _, right, _ in entry["depths"]) / sum(asked for _, _, asked in entry["depths"])


def needles(results):
    """The share of the needles that were answered in every digit, over all depths."""
    return outcomes.by_contender(results, "needle", CONTEXT, lambda entry: (share(entry), percent),
                                 ("needles per seed", lambda entries: max(
                                     sum(asked for _, _, asked in entry["depths"]) for entry in entries)))


def maps(results):
    """A row per contender and length, a column per depth."""
    rows = []
    for name in results.contenders("needle"):
        found = results.map(name)
        for seq in sorted({seq for seq, _ in found}):
            rows.append((name, seq, *(percent(found[seq, depth], 0) if (seq, depth) in found else "-"
                                      for depth in works.DEPTHS)))
    head = ("contender", "T", *(percent(depth, 0) for depth in works.DEPTHS))
    return table(head, rows, range(1, len(head))) if rows else ""


def ratio(own, dense):
    return "-" if not dense else f"{own / dense:.3f}"


def beside_dense(results):
    """At each length that was timed: needles, bits a byte, bytes and speeds as parts of dense's; medians of seeds."""
    rows = []
    for context in results.contexts("speed", {"seq": "T", "batch": "batch"}):
        seq = {"seq": context["seq"]}
        for name in results.contenders("needle"):
            asked, said = (results.of(kind, contender=name, **seq) for kind in ("needle", "text"))
            dense = [results.of(kind, contender=results.order[0], **seq) for kind in ("needle", "text")]
            timed = results.of("speed", contender=name, **context)
            if not (asked and said and timed and all(dense)):
                continue
            rows.append((context["seq"], context["batch"], name, percent(median([share(one) for one in asked])),
                         ratio(median([one["bits"] for one in said]), median([one["bits"] for one in dense[1]])),
                         *(ratio(median([kv(one)[i] for one in asked]), median([kv(one)[i] for one in dense[0]]))
                           for i in (0, 1)),
                         *(f"{median(ratios):.2f}" if ratios else "-"
                           for ratios in (results.ratios(timed[0], phase, **context)
                                          for phase in ("prefill", "decode")))))
    return table(("T", "batch", "contender", "needles answered", "bits a byte, of dense's", "KV reserved", "KV in use",
                  "prefill, tokens per s", "decode, tokens per s"), rows,
                 (0, 1, 3, 4, 5, 6, 7, 8)) if rows else ""


def caches(results):
    return outcomes.caches(results, "needle", CONTEXT)


TABLES = {"where": outcomes.where, "beside-dense": beside_dense, "needles": needles, "maps": maps,
          "bits": text_tables.bits, "caches": caches, "speed": text_tables.speed, "training": text_tables.training,
          "commands": outcomes.commands}
