# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tables, plots and numbers of the five ways of looking back (bench/mqar), from the tables of docs/mqar.md."""

from statistics import median

from latex import NAMES, addplot, changes, counted, legend, percent, plain, style, table
from sources import number

LEARNT = 99


def grouped(page):
    """{(T, contender): the rows of its seeds}, in the order of the page. Failed runs have no accuracy and are left out
    of medians, but not out of tables."""
    out = {}
    for row in page.table("runs"):
        out.setdefault((row["T"], row["contender"]), []).append(row)
    return out


def accuracy(row):
    return None if row["accuracy"].startswith("failed") else number(row["accuracy"])


def listed_share(row):
    """What attention lists, as a share of what the dense model lists."""
    return number(row["of dense's"])


def accuracies(rows):
    return [accuracy(row) for row in rows if accuracy(row) is not None]


def seeds_table(page):
    """A row per length and contender: the accuracy of every seed, then entries, share of dense's and bytes."""
    summary = {(row["T"], row["contender"]): row for row in page.table("summary")}
    seeds = max(len(rows) for rows in grouped(page).values())
    rows = []
    for (length, name), found in grouped(page).items():
        values = ["failed" if accuracy(row) is None else percent(accuracy(row)) for row in found]
        row = summary[length, name]
        rows.append([length, NAMES[name]] + values + ["--"] * (seeds - len(values)) +
                    [plain(number(row["entries"])), row["of dense's"].split(" ")[0],
                     row["cache, KiB"].split(" ")[0], row["batch 16"].replace(" - ", "--")])
    head = [r"$T$", "model"] + [f"seed {i}" for i in range(seeds)] + \
           ["entries", "of dense's", "KiB", r"decode, $\times$ dense"]
    return table("rl" + "r" * (seeds + 4), head, rows, changes(rows))


def plot(page, length):
    """A mark per run: accuracy against the share of dense's entries."""
    out = ""
    for (at, name), rows in grouped(page).items():
        if at == length:
            points = [(listed_share(row), accuracy(row)) for row in rows if accuracy(row) is not None]
            out += addplot(f"{style(name)}, only marks, fill opacity=.55", points) if points else ""
    return out


def lengths(page):
    return list(dict.fromkeys(length for length, _ in grouped(page)))


def plot_legend(page):
    return legend([(style(name) + ", only marks", NAMES[name])
                   for name in dict.fromkeys(name for _, name in grouped(page))])


def numbers(page):
    """Macros: what the prose says."""
    groups, out = grouped(page), {}
    for length, letter in zip(lengths(page), ("Short", "Long")):
        setting = next(row for row in page.table("settings") if row["T"] == length)
        found = accuracies(groups[length, "ssm"])
        out |= {f"Mqar{letter}": length, f"MqarPairs{letter}": setting["data"].split("pairs=")[1].split(",")[0],
                f"MqarSsm{letter}Least": f"{min(found):.0f}", f"MqarSsm{letter}Most": f"{max(found):.0f}"}
    hybrid = accuracies(groups[lengths(page)[-1], "hybrid"])
    routed = [row for (_, name), rows in groups.items() if name == "chimera" for row in rows]
    return out | {"MqarSteps": setting["steps"], "MqarBatch": setting["batch"],
                  "MqarHybridLearnt": f"{sum(value >= LEARNT for value in hybrid)} of {len(hybrid)}",
                  "MqarRuns": counted(len(routed), "run"),
                  "MqarShare": f"{100 * median(listed_share(row) for row in routed):.0f}"}


def claims(page):
    groups = grouped(page)
    routed = [row for (_, name), rows in groups.items() if name == "chimera" for row in rows]
    others = [row for (_, name), rows in groups.items() if name == "dense" for row in rows]
    where = [row for row in page.table("routing") if row["contender"] == "chimera"]
    full = {(row["T"], row["seed"], row["layer"]): [row[kind].split(" / ")[2] for kind in
                                                    ("keys", "values", "queries", "fillers")] for row in where}
    last = max(row["layer"] for row in where)
    settings = {(row["batch"], row["steps"]) for row in page.table("settings")}
    return [("both lengths have the same steps and batch", len(settings) == 1),
            ("the routed model answers every question on every seed, as dense does",
             all(accuracy(row) == 100 for row in routed + others)),
            ("it lists keys, values and questions of one layer, and no filler",
             all(shares == (["0"] * 4 if layer == last else ["100"] * 3 + ["0"])
                 for (_, _, layer), shares in full.items())),
            ("its other layer skips every token",
             all(row[kind] == "0 / 0 / 0 / 100" for row in where if row["layer"] == last
                 for kind in ("keys", "values", "queries", "fillers"))),
            ("the window answers next to nothing",
             all(max(accuracies(rows)) < 5 for (_, name), rows in groups.items() if name == "window"))]
