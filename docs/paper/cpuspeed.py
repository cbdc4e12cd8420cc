# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tables, plots and numbers of the cpu target (bench/cpu), from the tables of docs/performance.md, and of the
shares that a model of text keeps, from docs/training.md."""

import re
from statistics import median

from latex import addplot, cell, colour, table
from sources import config, number

MODES = ("ssm", "swa", "full", "identity")
DTYPES, FAR = ("f32", "bf16", "int8"), "32768"


def targets_table(page):
    """What was aimed at before, what was measured, and whether that reached it."""
    rows = [[cell(row["work"]), cell(row["target"]), cell(row["measured"]), cell(row[""])]
            for row in page.table("targets")]
    return table(r"@{}P{.285\linewidth}P{.235\linewidth}P{.27\linewidth}P{.12\linewidth}@{}",
                 ["work", "target", "measured", "outcome"], rows)


def decode(page, model, dtype, context):
    """Tokens per second at batch 1, medians of the runs. None: not measured."""
    found = [number(row["tokens/s"]) for row in page.table("speeds")
             if (row["model"], row["dtype"], row["phase"], row["batch"], row["context"]) ==
             (model, dtype, "decode", "1", context)]
    return median(found) if found else None


def decode_plot(page):
    """Decode speed of the dense and the routed model, at no context and at a long one; a bar each."""
    out = ""
    for model, name in (("dense", "dense"), ("routed", "chimera")):
        for context, look in (("0", "fill opacity=.35"), (FAR, "")):
            points = [(at, decode(page, model, dtype, context)) for at, dtype in enumerate(DTYPES)
                      if decode(page, model, dtype, context)]
            out += addplot(f"draw={colour(name)}, fill={colour(name)}{', ' + look if look else ''}", points)
    return out


def peer(page, program, phase):
    return next(number(row["tokens/s"]) for row in page.table("peers")
                if (row["program"], row["dtype"], row["phase"]) == (program, "bf16", phase))


def routed(page):
    """The targets that compare a routed with a dense model, by dtype, and the shares that it was forced to."""
    found = [(row, re.fullmatch(r"routed \((.*), forced\) against dense, long context, (\w+)", row["work"]))
             for row in page.table("targets")]
    return {match.group(2): row for row, match in found if match}, {match.group(1) for _, match in found if match}


def shares_off(page):
    """By how many points a layer's share of a mode is off the target at most: of all the text, of held-out text."""
    aims = config("examples", "text", "config.json")["router"]["target"]
    return [max(abs(float(share) - 100 * aims[mode]) for row in page.table_under("Shares that hold")
                for share, mode in zip(row[column].split(" / "), MODES))
            for column in ("all the text it trained on, compiled", "the held-out twentieth, compiled")]


def numbers(page, training):
    """Macros: what the prose says."""
    compared, shares = routed(page)
    out = {"CpuShares": " and ".join(shares)}
    for dtype, word in (("f32", "Single"), ("bf16", "Half")):
        faster, smaller = (number(part) for part in compared[dtype]["measured"].split(","))
        out |= {f"CpuRoutedFaster{word}": f"{faster:.1f}", f"CpuRoutedSmaller{word}": f"{smaller:.1f}"}
    for phase in ("prefill", "decode"):
        ours, theirs = (peer(page, program, phase) for program in ("chimera", "PyTorch"))
        out[f"CpuPeer{phase.title()}"] = f"{ours / theirs:.1f}"
    outcomes = [row[""] for row in page.table("targets")]
    seen, held = shares_off(training)
    return out | {"CpuTargets": str(len(outcomes)), "CpuReached": str(outcomes.count("reached")),
                  "CpuMissed": str(outcomes.count("not reached")),
                  "CpuUnmeasured": str(sum(one.startswith("not measurable") for one in outcomes)),
                  "SharesOffSeen": f"{seen:.1f}", "SharesOffHeld": f"{held:.1f}"}


def claims(page, _):
    return [("llama.cpp was not run on this machine", "llama.cpp: not installed" in page.text),
            ("every target is reached, missed or cannot be measured here",
             all(row[""] == "reached" or row[""].startswith("not ") for row in page.table("targets"))),
            ("prefill and decode are faster than PyTorch's",
             all(peer(page, "chimera", phase) > peer(page, "PyTorch", phase) for phase in ("prefill", "decode")))]
