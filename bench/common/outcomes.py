# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a contest stored, and the tables that every contest has, in markdown. A table's `fields` are those that tell its
contexts, with the head of their columns: {"seq": "T", "pairs": "pairs"}."""

from statistics import median

import pages
from pages import kib, one_line, spread, table

FAILED = "failed"


class Outcomes:
    """The stored file, with the questions that tables ask. `data` is its content, `order` the contenders in that of
    tables: dense comes first, all ratios are to it."""

    def __init__(self, data, order):
        self.data, self.entries, self.order = data, data["entries"], list(order)

    def of(self, kind, **fields):
        """Entries of a kind with these fields, by contender and seed."""
        found = [entry for entry in self.entries if entry["kind"] == kind
                 and all(entry[name] == value for name, value in fields.items())]
        return sorted(found, key=lambda one: (self.order.index(one["contender"]), one["seed"]))

    def contenders(self, kind):
        return list(dict.fromkeys(entry["contender"] for entry in self.of(kind)))

    def contexts(self, kind, fields):
        """The values of these fields of all entries, as dictionaries, from the least."""
        found = {tuple(entry[name] for name in fields) for entry in self.entries if entry["kind"] == kind}
        return [dict(zip(fields, values)) for values in sorted(found)]

    def ratios(self, entry, phase, **context):
        """Of each round of a `speed` entry: its speed over that of dense; empty without dense's."""
        dense = self.of("speed", contender=self.order[0], **context)
        return [own[phase] / other[phase]
                for own, other in zip(entry["rounds"], dense[0]["rounds"])] if dense else []


def listed(entry):
    """The entries of a sequence's lists, over all layers."""
    return sum(entry["entries_by_layer"])


def kv(entry):
    """(reserved, in use): bytes per sequence of keys and values, which lists and rings have."""
    return tuple(sum(entry["bytes"].get(mode, (0, 0))[i] for mode in ("full", "swa")) for i in (0, 1))


def training(results, head, write):
    """A row per training, also of those that failed; `write` gives the column `head` of a good one."""
    rows = []
    for entry in results.of("training"):
        good = entry["status"] == "ok"
        rows.append((entry["contender"], entry["seed"], entry["parameters"] if good else "-",
                     write(entry) if good else f"{FAILED}: {one_line(entry['message'])}",
                     f"{entry['wall_seconds']:.0f}"))
    return table(("contender", "seed", "parameters", head, "seconds"), rows, (1, 2, 3, 4)) if rows else ""


def by_contender(results, kind, fields, write, more=None):
    """A row per context, a column per contender: medians over the seeds of write(entry), a pair of a number and the
    function that makes text of numbers, and the least and greatest. `more`: (head, function of all entries)."""
    contenders, rows = results.contenders(kind), []
    for context in results.contexts(kind, fields):
        found = [results.of(kind, contender=name, **context) for name in contenders]
        extra = (more[1]([entry for entries in found for entry in entries]),) if more else ()
        rows.append((*context.values(), *extra,
                     *(spread([write(entry)[0] for entry in entries], write(entries[0])[1] if entries else str)
                       for entries in found)))
    head = (*fields.values(), *(more[:1] if more else ()), *contenders)
    return table(head, rows, range(len(head))) if rows else ""


def caches(results, kind, fields):
    """A row per context and contender: medians over the seeds of entries and bytes per sequence, and how many times
    less than dense's of the same context."""
    rows = []
    for context in results.contexts(kind, fields):
        dense = results.of(kind, contender=results.order[0], **context)
        base = median([kv(one)[0] for one in dense]) if dense else None
        for name in results.contenders(kind):
            found = results.of(kind, contender=name, **context)
            if not found:
                continue
            reserved = median([kv(one)[0] for one in found])
            rows.append((*context.values(), name, spread([listed(one) for one in found], "{:.1f}".format),
                         kib(reserved), kib(median([kv(one)[1] for one in found])),
                         f"{base / reserved:.1f}" if base and reserved else "-",
                         *(kib(median([one["bytes"]["total"][i] for one in found])) for i in (0, 1))))
    head = (*fields.values(), "contender", "entries listed", "KV reserved, KiB", "KV in use, KiB",
            "KV reserved, times less than dense", "whole cache reserved, KiB", "in use, KiB")
    return table(head, rows, [i for i in range(len(head)) if i != len(fields)]) if rows else ""


def speed(results, fields):
    """A row per context, batch and contender: tokens per second, and as a multiple of dense's of the same round."""
    rows, fields = [], {**fields, "batch": "batch"}
    for context in results.contexts("speed", fields):
        for entry in results.of("speed", **context):
            row = [*context.values(), entry["contender"]]
            for phase in ("prefill", "decode"):
                row += [spread([one[phase] for one in entry["rounds"]], "{:.0f}".format),
                        spread(results.ratios(entry, phase, **context), "{:.2f}".format)]
            rows.append(row)
    head = (*fields.values(), "contender", "prefill, tokens per s", "of dense's", "decode, tokens per s", "of dense's")
    return table(head, rows, [i for i in range(len(head)) if i != len(fields)]) if rows else ""


def where(results):
    return pages.where(results.data)


def commands(results):
    """A command line of each kind."""
    lines = [line for found in (results.of("training"), results.of("speed")) if found
             for line in found[0]["command"].splitlines()]
    return "\n".join(f"    {line}" for line in lines) + "\n" if lines else ""
