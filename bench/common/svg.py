# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Figures as SVG, self-contained, for light and dark pages: the document, plots with two axes, legends."""

import math
from xml.sax.saxutils import escape

from pages import wrapped

# By family: what stands in a contender's name before a "-"; and by mode.
LIGHT = {"dense": "#0969da", "ssm": "#bf3989", "window": "#9a6700", "hybrid": "#1a7f37", "local": "#8250df",
         "chimera": "#bc4c00", "m-ssm": "#bf3989", "m-swa": "#d4a72c", "m-full": "#0969da", "m-identity": "#afb8c1"}
DARK = {"dense": "#4493f8", "ssm": "#f778ba", "window": "#d4a72c", "hybrid": "#3fb950", "local": "#ab7df8",
        "chimera": "#f0883e", "m-ssm": "#f778ba", "m-swa": "#e3b341", "m-full": "#4493f8", "m-identity": "#656c76"}

STYLE = """
  text { font: 13px sans-serif; fill: #24292f; }
  .title { font-size: 16px; font-weight: bold; }
  .small { font-size: 11px; fill: #57606a; }
  .grid { stroke: #d0d7de; stroke-width: 1; }
  .frame { fill: none; stroke: #57606a; stroke-width: 1; }
  .front { fill: none; stroke: #57606a; stroke-width: 1; stroke-dasharray: 4 3; }
  circle { fill-opacity: 0.7; stroke: #ffffff; stroke-width: 0.5; }
""" + "".join(f"  .{name} {{ fill: {colour}; }}\n" for name, colour in LIGHT.items()) + """
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9198a1; }
    .grid { stroke: #3d444d; } .frame, .front { stroke: #9198a1; } circle { stroke: #0d1117; }
""" + "".join(f"    .{name} {{ fill: {colour}; }}\n" for name, colour in DARK.items()) + "  }\n"


def family(contender):
    """Its class."""
    return contender.split("-")[0]


def document(bench, title, width, height, parts, caption):
    """The parts with a title above and a caption below, which adds to the height; drawn by bench/BENCH/report."""
    lines = wrapped(caption, width // 7)
    tall = height + 15 * len(lines) + 10
    text = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {tall}" width="{width}" height="{tall}" '
            'role="img">',
            f"<!-- SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception; drawn by bench/{bench}/report -->",
            f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>",
            f'<text class="title" x="60" y="26">{escape(title)}</text>', *parts]
    text += [f'<text class="small" x="60" y="{height + 15 * i}">{escape(line.strip())}</text>'
             for i, line in enumerate(lines)]
    return "\n".join(text + ["</svg>"]) + "\n"


class Axis:
    """From `low` to `high`, with ticks at these values as write(value); outside of the range, the edge."""

    def __init__(self, low, high, ticks, write, log=False):
        self.low, self.high, self.ticks, self.write, self.log = low, high, ticks, write, log

    def place(self, value):
        """0 to 1."""
        if self.log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(max(share, 0), 1)


def powers(values, write):
    """An axis of powers of two around these values, all above 0."""
    low, high = math.floor(math.log2(min(values))), math.ceil(math.log2(max(values)))
    high = max(high, low + 1)
    step = max(1, (high - low) // 6)
    return Axis(2.0 ** low, 2.0 ** high, [2.0 ** power for power in range(low, high + 1, step)], write, log=True)


def around(values, step, write):
    """An axis with a tick each `step`, or a multiple of it, around these values."""
    low, high = math.floor(min(values) / step), math.ceil(max(values) / step)
    high = max(high, low + 1)
    each = max(1, (high - low) // 6)
    return Axis(low * step, high * step, [step * i for i in range(low, high + 1, each)], write)


class Panel:
    """A plot with two axes; `left` and `top` are where it is in the document."""

    WIDTH, HEIGHT = 360, 320

    def __init__(self, left, x, y, top=66):
        self.left, self.top, self.x_axis, self.y_axis = left, top, x, y
        self.bottom = top + self.HEIGHT

    def x(self, value):
        return self.left + self.WIDTH * self.x_axis.place(value)

    def y(self, value):
        return self.bottom - self.HEIGHT * self.y_axis.place(value)

    def grid(self, title, label):
        """Lines, ticks, the title above and what the horizontal axis is below."""
        lines, right = [f'<text x="{self.left}" y="{self.top - 12}">{escape(title)}</text>'], self.left + self.WIDTH
        for tick in self.y_axis.ticks:
            y = self.y(tick)
            lines.append(f'<line class="grid" x1="{self.left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
            lines.append(f'<text class="small" x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end">'
                         f'{self.y_axis.write(tick)}</text>')
        for tick in self.x_axis.ticks:
            x = self.x(tick)
            lines.append(f'<line class="grid" x1="{x:.1f}" y1="{self.top}" x2="{x:.1f}" y2="{self.bottom}"/>')
            lines.append(f'<text class="small" x="{x:.1f}" y="{self.bottom + 16}" text-anchor="middle">'
                         f'{self.x_axis.write(tick)}</text>')
        lines.append(f'<rect class="frame" x="{self.left}" y="{self.top}" width="{self.WIDTH}" '
                     f'height="{self.HEIGHT}"/>')
        lines.append(f'<text class="small" x="{self.left + self.WIDTH / 2}" y="{self.bottom + 34}" '
                     f'text-anchor="middle">{escape(label)}</text>')
        return lines

    def dot(self, name, x, y, title):
        """A circle of that class at these values, with a title to hover."""
        return (f'<circle class="{name}" cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="6">'
                f'<title>{escape(title)}</title></circle>')


def key(names, width, y, prefix=""):
    """A legend from the right."""
    lines, x = [], width - 20
    for name in reversed(names):
        x -= 8 * len(name) + 26
        lines.append(f'<rect class="{prefix}{name}" x="{x}" y="{y - 10}" width="11" height="11"/>')
        lines.append(f'<text x="{x + 16}" y="{y}">{escape(name)}</text>')
    return lines
