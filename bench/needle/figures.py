# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The heat maps as SVG: for each contender, the share of the needles that it answered by depth and length."""

from xml.sax.saxutils import escape

import svg
import works

WIDE, TALL = 30, 26  # of a cell
NONE, ALL = (207, 34, 46), (26, 127, 55)  # the colours of no needle and of all
MIDDLE = (234, 197, 79)


def colour(share):
    """Between the three; readable with black text."""
    low, high, at = (NONE, MIDDLE, 2 * share) if share < 0.5 else (MIDDLE, ALL, 2 * share - 1)
    mixed = [round(a + (b - a) * at) for a, b in zip(low, high)]
    return "#" + "".join(f"{round(one + (255 - one) * 0.35):02x}" for one in mixed)


def length(seq):
    return f"{seq // 1024}K" if seq % 1024 == 0 else str(seq)


def heat_map(results, name, left, top):
    """A row of cells per length, from the shortest, a column per depth."""
    found = results.map(name)
    lines = [f'<text x="{left}" y="{top - 12}">{escape(name)}</text>']
    for i, seq in enumerate(sorted({seq for seq, _ in found})):
        y = top + TALL * i
        lines.append(f'<text class="small" x="{left - 6}" y="{y + 17}" text-anchor="end">{length(seq)}</text>')
        for j, depth in enumerate(works.DEPTHS):
            if (seq, depth) in found:
                share = found[seq, depth]
                said = f"{name}, T {seq}, depth {100 * depth:.0f} %: {100 * share:.1f} %"
                lines.append(f'<rect x="{left + WIDE * j}" y="{y}" width="{WIDE - 1}" height="{TALL - 1}" '
                             f'fill="{colour(share)}"><title>{escape(said)}</title></rect>')
                lines.append(f'<text class="small" style="fill: #000" x="{left + WIDE * j + WIDE / 2}" y="{y + 17}" '
                             f'text-anchor="middle" pointer-events="none">{100 * share:.0f}</text>')
    return lines


def maps(results, caption):
    """Two maps side by side, with depths below each."""
    names = results.contenders("needle")
    rows = len({entry["seq"] for entry in results.of("needle")})
    parts, tall = [], TALL * rows + 78
    for i, name in enumerate(names):
        left, top = 60 + 420 * (i % 2), 76 + tall * (i // 2)
        parts += heat_map(results, name, left, top)
        y = top + TALL * rows
        parts += [f'<text class="small" x="{left + WIDE * j + WIDE / 2}" y="{y + 14}" text-anchor="middle">'
                  f'{100 * depth:.0f}</text>' for j, depth in enumerate(works.DEPTHS)]
        parts.append(f'<text class="small" x="{left + WIDE * len(works.DEPTHS) / 2}" y="{y + 30}" '
                     'text-anchor="middle">depth of the fact, percent of the text before the questions</text>')
    return svg.document("needle", "Needles answered, percent, by length and depth", 860,
                        90 + tall * -(-len(names) // 2), parts, caption)


FIGURES = {"needle-maps": maps}
