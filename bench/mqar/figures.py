# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The figures of docs/mqar.md as SVG: accuracy against entries, and where the classes of positions were routed."""

from xml.sax.saxutils import escape

import recall
import works
from pages import wrapped
from programs import MODES
from results import dense_entries
from tables import routed_layers, shares_of

LIGHT = {"dense": "#0969da", "ssm": "#bf3989", "window": "#9a6700", "hybrid": "#1a7f37", "chimera": "#bc4c00",
         "m-ssm": "#bf3989", "m-swa": "#d4a72c", "m-full": "#0969da", "m-identity": "#afb8c1"}
DARK = {"dense": "#4493f8", "ssm": "#f778ba", "window": "#d4a72c", "hybrid": "#3fb950", "chimera": "#f0883e",
        "m-ssm": "#f778ba", "m-swa": "#e3b341", "m-full": "#4493f8", "m-identity": "#656c76"}

STYLE = """
  text { font: 13px sans-serif; fill: #24292f; }
  .title { font-size: 16px; font-weight: bold; }
  .small { font-size: 11px; fill: #57606a; }
  .grid { stroke: #d0d7de; stroke-width: 1; }
  .frame { fill: none; stroke: #57606a; stroke-width: 1; }
  circle { fill-opacity: 0.7; stroke: #ffffff; stroke-width: 0.5; }
""" + "".join(f"  .{name} {{ fill: {colour}; }}\n" for name, colour in LIGHT.items()) + """
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9198a1; }
    .grid { stroke: #3d444d; } .frame { stroke: #9198a1; } circle { stroke: #0d1117; }
""" + "".join(f"    .{name} {{ fill: {colour}; }}\n" for name, colour in DARK.items()) + "  }\n"


def document(title, width, height, parts, caption):
    """The parts with a title above and a caption below, which adds to the height."""
    lines = wrapped(caption, width // 7)
    tall = height + 15 * len(lines) + 10
    text = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {tall}" width="{width}" height="{tall}" '
            'role="img">',
            "<!-- SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception; drawn by bench/mqar/report -->",
            f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>",
            f'<text class="title" x="60" y="26">{escape(title)}</text>', *parts]
    text += [f'<text class="small" x="60" y="{height + 15 * i}">{escape(line.strip())}</text>'
             for i, line in enumerate(lines)]
    return "\n".join(text + ["</svg>"]) + "\n"


class Panel:
    """A plot of accuracy (0 to 1) against entries (0 to those of dense)."""

    TOP, BOTTOM, WIDTH = 66, 386, 360

    def __init__(self, left, most):
        self.left, self.most = left, most

    def x(self, entries):
        return self.left + self.WIDTH * entries / self.most

    def y(self, accuracy):
        return self.BOTTOM - (self.BOTTOM - self.TOP) * accuracy

    def grid(self, size):
        lines, right = [f'<text x="{self.left}" y="{self.TOP - 12}">T {size}</text>'], self.left + self.WIDTH
        for i in range(6):
            y = self.y(i / 5)
            lines.append(f'<line class="grid" x1="{self.left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
            lines.append(f'<text class="small" x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end">{20 * i} %</text>')
        for i in range(5):
            x = self.x(self.most * i / 4)
            lines.append(f'<line class="grid" x1="{x:.1f}" y1="{self.TOP}" x2="{x:.1f}" y2="{self.BOTTOM}"/>')
            lines.append(f'<text class="small" x="{x:.1f}" y="{self.BOTTOM + 16}" text-anchor="middle">'
                         f'{self.most * i / 4:g}</text>')
        lines.append(f'<rect class="frame" x="{self.left}" y="{self.TOP}" width="{self.WIDTH}" '
                     f'height="{self.BOTTOM - self.TOP}"/>')
        lines.append(f'<text class="small" x="{self.left + self.WIDTH / 2}" y="{self.BOTTOM + 34}" '
                     f'text-anchor="middle">entries of full attention listed in a sequence</text>')
        return lines


def key(names, width, y, prefix=""):
    """A legend from the right."""
    lines, x = [], width - 20
    for name in reversed(names):
        x -= 8 * len(name) + 26
        lines.append(f'<rect class="{prefix}{name}" x="{x}" y="{y - 10}" width="11" height="11"/>')
        lines.append(f'<text x="{x + 16}" y="{y}">{escape(name)}</text>')
    return lines


def accuracy(results, caption):
    """One dot a run, a panel a size. Failed runs have neither accuracy nor entries: their number is written."""
    sizes = [size for size in results.sizes() if results.trainings(size, status="ok")]
    parts, width = [], 60 + 430 * max(len(sizes), 2)
    for i, size in enumerate(sizes):
        good = results.trainings(size, status="ok")
        panel = Panel(60 + 430 * i, dense_entries(good[0]))
        parts += panel.grid(size)
        failed = len(results.trainings(size)) - len(good)
        if failed:
            parts.append(f'<text class="small" x="{panel.left + panel.WIDTH}" y="{panel.TOP - 12}" text-anchor="end">'
                         f'{failed} failed, not drawn</text>')
        for entry in good:
            name = f"{entry['contender']}, T {size}, seed {entry['seed']}: {100 * entry['hard']:.2f} %, " \
                   f"{entry['entries']:.1f} entries"
            parts.append(f'<circle class="{entry["contender"]}" cx="{panel.x(entry["entries"]):.1f}" '
                         f'cy="{panel.y(entry["hard"]):.1f}" r="6"><title>{escape(name)}</title></circle>')
    names = [name for name in works.CONTENDERS if results.trainings(contender=name)]
    return document("Associative recall: accuracy against entries listed", width, 440,
                    parts + key(names, width, 26), caption + " Dots of one place cover each other.")


def bar(x, y, width, height, shares, title):
    """A stack of the shares by mode, from the bottom."""
    lines, bottom = [], y + height
    for mode, share in zip(MODES, shares):
        tall = height * share
        bottom -= tall
        if share:
            lines.append(f'<rect class="m-{mode}" x="{x:.1f}" y="{bottom:.2f}" width="{width}" height="{tall:.2f}">'
                         f'<title>{escape(title)}: {mode} {100 * share:.1f} %</title></rect>')
    return lines


def routing(results, caption):
    """A row of bars a size and layer, a group a seed, a bar a class of positions."""
    routed = [entry for entry in results.trainings(status="ok") if entry["classes"]]
    rows = list(dict.fromkeys((entry["size"], layer) for entry in routed for layer in routed_layers(entry)))
    seeds = sorted({entry["seed"] for entry in routed})
    group, parts, width = 165, [], max(60 + 165 * len(seeds) + 10, 640)
    for i, (size, layer) in enumerate(rows):
        y = 76 + 170 * i
        parts.append(f'<text x="60" y="{y - 10}">T {size}, layer {layer}</text>')
        for tick in (0, 50, 100):
            parts.append(f'<text class="small" x="54" y="{y + 110 * (1 - tick / 100) + 4:.1f}" text-anchor="end">'
                         f'{tick} %</text>')
        for entry in (one for one in routed if one["size"] == size):
            left, shares = 60 + group * seeds.index(entry["seed"]), shares_of(entry, layer)
            parts.append(f'<text class="small" x="{left + 68}" y="{y + 139}" text-anchor="middle">'
                         f'seed {entry["seed"]}, {100 * entry["hard"]:.1f} %</text>')
            for j, kind in enumerate(kind for kind in recall.CLASSES if kind in shares):
                name = f"T {size}, layer {layer}, seed {entry['seed']}, {kind}"
                parts += bar(left + 36 * j, y, 28, 110, shares[kind], name)
                parts.append(f'<text class="small" x="{left + 36 * j + 14}" y="{y + 124}" text-anchor="middle">'
                             f'{kind}</text>')
    return document("Where the router sends tokens", width, 76 + 170 * len(rows),
                    parts + key(MODES, width, 48, "m-"), caption)


FIGURES = {"mqar-accuracy": accuracy, "mqar-routing": routing}
