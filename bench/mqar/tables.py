# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables of docs/mqar.md, in markdown, from what bench/mqar/run stored."""

from statistics import median

import pages
import recall
from pages import kib, one_line, percent, spread, table
from results import dense_entries

SOLVED = 0.99  # the hard accuracy from which a run counts as having solved the task
FAILED = "failed"


def settings(results):
    rows = []
    for size in results.sizes():
        for entry in results.trainings(size)[:1]:
            options = entry["settings"]
            rows.append((size, f"`{options['data']}`", options["batch"], options["steps"],
                         f"{options['batch'] * options['steps']}"))
    return table(("T", "data", "batch", "steps", "sequences seen"), rows, (0, 2, 3, 4)) if rows else ""


def summary(results):
    """A row a contender: medians and ranges over its seeds."""
    rows = []
    for size, contender in results.pairs():
        every, good = results.trainings(size, contender), results.trainings(size, contender, "ok")
        solved = sum(entry["hard"] >= SOLVED for entry in good)
        rows.append((size, contender, spread([entry["hard"] for entry in good], percent, FAILED),
                     f"{solved} of {len(every)}", spread([entry["entries"] for entry in good], "{:.1f}".format),
                     spread([entry["entries"] / dense_entries(entry) for entry in good], "{:.2f}".format),
                     spread([entry["compiled"]["needed"]["total"] for entry in good], kib),
                     *(spread(results.ratios(size, contender, "bench", batch), "{:.2f}".format) for batch in (1, 16))))
    return table(("T", "contender", "accuracy", f"seeds at {percent(SOLVED, 0)}", "entries", "of dense's",
                  "cache, KiB", "decode, batch 1, of dense's", "batch 16"), rows,
                 (0, 2, 3, 4, 5, 6, 7, 8)) if rows else ""


def runs(results):
    """A row a training, also of those that failed."""
    rows = []
    for entry in results.trainings():
        start = (entry["size"], entry["contender"], entry["seed"])
        if entry["status"] != "ok":
            rows.append((*start, f"{FAILED}: {one_line(entry['message'])}", *"-------", f"{entry['wall_seconds']:.0f}"))
            continue
        compiled = entry["compiled"]
        rows.append((*start, percent(entry["hard"], 2), "-" if entry["soft"] is None else percent(entry["soft"], 2),
                     percent(compiled["accuracy"], 2), f"{entry['entries']:.1f}", f"{compiled['entries']:.1f}",
                     f"{entry['entries'] / dense_entries(entry):.3f}",
                     "-" if entry["cap"] is None else f"{entry['cap']:.2f}",
                     f"{entry['wall_seconds']:.0f}" + (" (resumed)" if entry["resumed"] else "")))
    return table(("T", "contender", "seed", "accuracy", "soft", "compiled", "entries", "compiled", "of dense's", "cap",
                  "training, s"), rows, (0, 2, 3, 4, 5, 6, 7, 8, 9, 10)) if rows else ""


def caches(results):
    """Bytes a sequence: medians over seeds of what is needed, by parts, and of what the runtime reserves."""
    rows = []
    for size, contender in results.pairs():
        good = [entry["compiled"] for entry in results.trainings(size, contender, "ok")]
        if good:
            rows.append((size, contender, f"{good[0]['entry_bytes']:.0f}" if good[0]["entry_bytes"] else "-",
                         *(f"{median([one['needed'][part] for one in good]):.0f}"
                           for part in ("list", "ring", "state", "total")),
                         f"{median([one['reserved'] for one in good]):.0f}"))
    return table(("T", "contender", "an entry", "lists", "rings of W", "states, tails, counts", "needed", "reserved"),
                 rows, range(8)) if rows else ""


def decode(results):
    """Speeds of each round, and how much of what each work decodes went to `full`."""
    rows = []
    for size, contender in results.pairs():
        entry = results.decode(size, contender)
        if not entry:
            continue
        for work, name in (("bench", "full context, random tokens"), ("task", "whole sequences of the task")):
            for batch in (1, 16):
                share = (entry["rounds"][-1]["shares"][str(batch)]["full"] if work == "bench"
                         else entry["task_full_share"])
                rows.append((size, contender, name, batch,
                             spread(results.speeds(size, contender, work, batch), "{:.0f}".format),
                             spread(results.ratios(size, contender, work, batch), "{:.2f}".format),
                             percent(share, 0)))
    return table(("T", "contender", "what", "batch", "tokens/s", "of dense's", "to `full`"), rows,
                 (0, 3, 4, 5, 6)) if rows else ""


def shares_of(entry, layer):
    """{class: shares by mode} of a layer in the last evaluation."""
    return {one["positions"]: one["shares"] for one in entry["classes"] if one["layer"] == layer}


def routed_layers(entry):
    return sorted({one["layer"] for one in entry["classes"]})


def routing(results):
    """A row a layer of each routed run: by class of position, the share of each mode in percent."""
    rows = []
    for entry in results.trainings(status="ok"):
        for layer in routed_layers(entry):
            shares = shares_of(entry, layer)
            rows.append((entry["size"], entry["contender"], entry["seed"], layer,
                         *(" / ".join(f"{100 * share:.0f}" for share in shares[kind]) if kind in shares else "-"
                           for kind in recall.CLASSES)))
    return table(("T", "contender", "seed", "layer", "keys", "values", "queries", "fillers"), rows,
                 range(8)) if rows else ""


def commands(results):
    """The command line of each contender's first training at each size; those of decode of the first model alone."""
    lines = [f"    {results.trainings(size, contender)[0]['command']}" for size, contender in results.pairs()]
    speeds = [results.decode(size, contender) for size, contender in results.pairs()]
    for speed in [one for one in speeds if one][:1]:
        lines += [f"    {speed['command']}", f"    {speed['task_command']}"]
    return "\n".join(lines) + "\n" if lines else ""


def figure(name, text):
    """A reference to a figure, once there is something to draw."""
    return lambda results: f"![{text}](figures/{name}.svg)\n" if results.trainings(status="ok") else ""


TABLES = {"where": lambda results: pages.where(results.data), "settings": settings, "summary": summary,
          "figure-accuracy": figure("mqar-accuracy", "accuracy against entries listed"), "runs": runs,
          "caches": caches, "decode": decode, "figure-routing": figure("mqar-routing", "routing by class of position"),
          "routing": routing, "commands": commands}
