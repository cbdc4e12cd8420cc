# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The plots as SVG: bits a byte against the bytes of keys and values, and against decode speed, at each context that
was timed."""

from statistics import median

import svg
from outcomes import kv


def size(value):
    """Bytes as text."""
    return f"{value / 2**20:g} MiB" if value >= 2**20 else f"{value / 2**10:g} KiB"


def rate(value):
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def points(results, seq, measure):
    """[(contender, seed, what the axis shows, bits a byte)] of each model at that context of which
    measure(contender, entry) is a number."""
    found = [(entry["contender"], entry["seed"], measure(entry["contender"], entry), entry["bits"])
             for entry in results.of("text", seq=seq)]
    return [one for one in found if one[2] is not None]


def front(found, sign):
    """The points, medians over the seeds, that no other is better than in both; less of the axis is better if the sign
    is 1, more if it is -1."""
    names = dict.fromkeys(one[0] for one in found)
    centres = [tuple(median([one[i] for one in found if one[0] == name]) for i in (2, 3)) for name in names]
    best, kept = None, []
    for x, bits in sorted(centres, key=lambda one: (sign * one[0], one[1])):
        if best is None or bits < best:
            best = bits
            kept.append((x, bits))
    return kept


def plot(found, left, top, title, label, write, sign):
    """A panel with a dot per model, and the front."""
    positive = [one[2] for one in found if one[2] > 0]
    panel = svg.Panel(left, svg.powers(positive or [1], write), svg.around([one[3] for one in found], 0.02,
                                                                           "{:.2f}".format), top)
    parts = panel.grid(title, label)
    line = " ".join(f"{panel.x(x):.1f},{panel.y(bits):.1f}" for x, bits in front(found, sign))
    parts.append(f'<polyline class="front" points="{line}"/>')
    for name, seed, x, bits in found:
        parts.append(panel.dot(svg.family(name), x, bits, f"{name}, seed {seed}: {bits:.4f} bits a byte, {write(x)}"))
    return parts


def pareto(results, caption):
    """A row of two panels per context."""
    parts, row = [], 0
    for context in results.contexts("speed", {"seq": "T", "batch": "batch"}):
        seq, batch = context["seq"], context["batch"]
        speeds = {entry["contender"]: median([one["decode"] for one in entry["rounds"]])
                  for entry in results.of("speed", **context)}
        panels = ((f"T {seq}: memory", "bytes of keys and values, reserved", size, 1, lambda _, entry: kv(entry)[0]),
                  (f"T {seq}, batch {batch}: speed", "decode, tokens per second", rate, -1,
                   lambda name, _: speeds.get(name)))
        for i, (title, label, write, sign, measure) in enumerate(panels):
            found = points(results, seq, measure)
            if found:
                parts += plot(found, 70 + 450 * i, 76 + 400 * row, title, label, write, sign)
        row += 1
    families = list(dict.fromkeys(svg.family(name) for name in results.contenders("text")))
    return svg.document("pareto", "Bits a byte of held-out text", 900, 60 + 400 * row,
                        parts + svg.key(families, 900, 26), caption + " A dot is a model, its name is shown on hover; "
                        "the dashed line joins those that none is better than in both. What keeps no keys and values "
                        "is at the left edge. Speed is that of the first seed's model.")


FIGURES = {"pareto": pareto}
