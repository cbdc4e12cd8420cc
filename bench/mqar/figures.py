# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The figures of docs/mqar.md as SVG: accuracy against entries, and where the classes of positions were routed."""

from xml.sax.saxutils import escape

import recall
import svg
import works
from programs import MODES
from results import dense_entries
from svg import key
from tables import routed_layers, shares_of


def document(*parts):
    return svg.document("mqar", *parts)


def panel(left, most):
    """A plot of accuracy against entries, to those of dense."""
    return svg.Panel(left, svg.Axis(0, most, [most * i / 4 for i in range(5)], "{:g}".format),
                     svg.Axis(0, 1, [i / 5 for i in range(6)], lambda share: f"{100 * share:.0f} %"))


def accuracy(results, caption):
    """One dot a run, a panel a size. Failed runs have neither accuracy nor entries: their number is written."""
    sizes = [size for size in results.sizes() if results.trainings(size, status="ok")]
    parts, width = [], 60 + 430 * max(len(sizes), 2)
    for i, size in enumerate(sizes):
        good = results.trainings(size, status="ok")
        plot = panel(60 + 430 * i, dense_entries(good[0]))
        parts += plot.grid(f"T {size}", "entries of full attention listed in a sequence")
        failed = len(results.trainings(size)) - len(good)
        if failed:
            parts.append(f'<text class="small" x="{plot.left + plot.WIDTH}" y="{plot.top - 12}" text-anchor="end">'
                         f'{failed} failed, not drawn</text>')
        for entry in good:
            name = f"{entry['contender']}, T {size}, seed {entry['seed']}: {100 * entry['hard']:.2f} %, " \
                   f"{entry['entries']:.1f} entries"
            parts.append(plot.dot(entry["contender"], entry["entries"], entry["hard"], name))
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
