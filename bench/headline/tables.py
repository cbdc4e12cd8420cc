# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables of the headline, in markdown, from what bench/headline/run stored."""

from statistics import median

import pages
import works
from pages import kib, one_line, percent, spread, table

FAILED = "failed"


class Results:
    """The stored file, with the questions that tables ask. `data` is its content."""

    def __init__(self, data):
        self.data, self.entries = data, data["entries"]

    def of(self, kind, **fields):
        """Entries of a kind with these fields, by contender and seed."""
        found = [entry for entry in self.entries if entry["kind"] == kind
                 and all(entry[name] == value for name, value in fields.items())]
        order = list(works.CONTENDERS)
        return sorted(found, key=lambda one: (order.index(one["contender"]), one["seed"]))

    def contenders(self, kind):
        return list(dict.fromkeys(entry["contender"] for entry in self.of(kind)))

    def contexts(self, kind):
        """(T, pairs) of all entries."""
        return sorted({(entry["seq"], entry["pairs"]) for entry in self.entries if entry["kind"] == kind})


def share(entry):
    return entry["right"] / entry["asked"]


def kv(entry):
    """(reserved, in use): bytes per sequence of keys and values, which lists and rings have."""
    return tuple(sum(entry["bytes"].get(mode, (0, 0))[i] for mode in ("full", "swa")) for i in (0, 1))


def training(results):
    """A row per training, also of those that failed."""
    rows = []
    for entry in results.of("training"):
        good = entry["status"] == "ok"
        rows.append((entry["contender"], entry["seed"], entry["parameters"] if good else "-",
                     percent(entry["accuracy"], 2) if good else f"{FAILED}: {one_line(entry['message'])}",
                     f"{entry['wall_seconds']:.0f}"))
    return table(("contender", "seed", "parameters", "accuracy at T 64", "seconds"), rows, (1, 2, 3, 4)) if rows else ""


def recall(results):
    """A row per context, a column per contender: medians over the seeds, and the least and greatest."""
    contenders = results.contenders("recall")
    rows = []
    for seq, pairs in results.contexts("recall"):
        found = {name: results.of("recall", seq=seq, pairs=pairs, contender=name) for name in contenders}
        asked = max(entry["asked"] for entries in found.values() for entry in entries)
        rows.append((seq, pairs, asked, *(spread([share(one) for one in found[name]], lambda x: percent(x, 2))
                                          for name in contenders)))
    return table(("T", "pairs", "questions per seed", *contenders), rows, range(3 + len(contenders))) if rows else ""


def beside_dense(results):
    """Of each context: by how much chimera's accuracy differs from dense's of the same seed, at worst, in points."""
    rows = []
    for seq, pairs in results.contexts("recall"):
        dense = {one["seed"]: share(one) for one in results.of("recall", seq=seq, pairs=pairs, contender="dense")}
        found = [100 * (share(one) - dense[one["seed"]])
                 for one in results.of("recall", seq=seq, pairs=pairs, contender="chimera") if one["seed"] in dense]
        if found:
            rows.append((seq, pairs, len(found), f"{min(found):+.2f}", f"{max(found):+.2f}"))
    return table(("T", "pairs", "seeds", "least", "greatest"), rows, range(5)) if rows else ""


def caches(results):
    """A row per context and contender: medians over the seeds of entries and bytes per sequence, and how many times
    less than dense's of the same context."""
    rows = []
    for seq, pairs in results.contexts("recall"):
        dense = results.of("recall", seq=seq, pairs=pairs, contender="dense")
        base = median([kv(one)[0] for one in dense]) if dense else None
        for name in results.contenders("recall"):
            found = results.of("recall", seq=seq, pairs=pairs, contender=name)
            if not found:
                continue
            reserved = median([kv(one)[0] for one in found])
            rows.append((seq, pairs, name, spread([sum(one["entries_by_layer"]) for one in found], "{:.1f}".format),
                         kib(reserved), kib(median([kv(one)[1] for one in found])),
                         f"{base / reserved:.1f}" if base and reserved else "-",
                         *(kib(median([one["bytes"]["total"][i] for one in found])) for i in (0, 1))))
    return table(("T", "pairs", "contender", "entries listed", "KV reserved, KiB", "KV in use, KiB",
                  "KV reserved, times less than dense", "whole cache reserved, KiB", "in use, KiB"), rows,
                 (0, 1, 3, 4, 5, 6, 7, 8)) if rows else ""


def speed(results):
    """A row per context, batch and contender: tokens per second, and as a multiple of dense's of the same round."""
    rows = []
    keys = sorted({(one["seq"], one["pairs"], one["batch"]) for one in results.of("speed")})
    for seq, pairs, batch in keys:
        found = {one["contender"]: one for one in results.of("speed", seq=seq, pairs=pairs, batch=batch)}
        for name, entry in found.items():
            row = [seq, pairs, batch, name]
            for phase in ("prefill", "decode"):
                own = [one[phase] for one in entry["rounds"]]
                dense = [one[phase] for one in found["dense"]["rounds"]] if "dense" in found else []
                row += [spread(own, "{:.0f}".format),
                        spread([a / b for a, b in zip(own, dense)], "{:.2f}".format)]
            rows.append(row)
    return table(("T", "pairs", "batch", "contender", "prefill, tokens per s", "of dense's", "decode, tokens per s",
                  "of dense's"), rows, (0, 1, 2, 4, 5, 6, 7)) if rows else ""


def commands(results):
    """A command line of each kind."""
    lines = [f"    {found[0]['command']}" for found in (results.of("training"), results.of("speed")) if found]
    return "\n".join(lines) + "\n" if lines else ""


TABLES = {"where": lambda results: pages.where(results.data), "training": training, "recall": recall,
          "beside-dense": beside_dense, "caches": caches, "speed": speed, "commands": commands}
