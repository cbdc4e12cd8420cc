# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The roofline of each phase (Williams, Waterman and Patterson 2009) as an SVG: operations a byte against GFLOP/s."""

import math
import statistics
from xml.sax.saxutils import escape

from pages import wrapped

WIDTH, HEIGHT = 960, 600
LEFT, RIGHT, TOP, BOTTOM = 70, 600, 50, 470  # of the plot
X_RANGE, Y_RANGE = (0.25, 1024.0), (2.0, 1000.0)

STYLE = """
  text { font: 13px sans-serif; fill: #24292f; }
  .title { font-size: 16px; font-weight: bold; }
  .small { font-size: 11px; fill: #57606a; }
  .number { font-size: 11px; }
  .grid { stroke: #d0d7de; stroke-width: 1; }
  .frame { fill: none; stroke: #57606a; stroke-width: 1; }
  .roof { fill: none; stroke-width: 2.5; stroke: #57606a; }
  .roof.f32 { stroke: #0969da; } .roof.bf16 { stroke: #bc4c00; }
  .leader { stroke: #57606a; stroke-width: 0.8; }
  .f32 { fill: #0969da; } .bf16 { fill: #bc4c00; } .int8 { fill: #1a7f37; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9198a1; }
    .grid { stroke: #3d444d; } .frame { stroke: #9198a1; } .leader { stroke: #9198a1; }
    .roof { stroke: #9198a1; } .roof.f32 { stroke: #4493f8; } .roof.bf16 { stroke: #f0883e; }
    .f32 { fill: #4493f8; } .bf16 { fill: #f0883e; } .int8 { fill: #3fb950; }
  }
  path.roof, path.roof.f32, path.roof.bf16 { fill: none; }
"""


def x_of(intensity):
    """Where so many operations a byte are; outside of the range, the edge."""
    share = math.log(intensity / X_RANGE[0]) / math.log(X_RANGE[1] / X_RANGE[0])
    return LEFT + min(max(share, 0), 1) * (RIGHT - LEFT)


def y_of(gflops):
    share = math.log(gflops / Y_RANGE[0]) / math.log(Y_RANGE[1] / Y_RANGE[0])
    return BOTTOM - min(max(share, 0), 1) * (BOTTOM - TOP)


def points_of(results):
    """(name, dtype, operations a byte, GFLOP/s) of each phase."""
    wanted = [("{} prefill 512", "short", "prefill", 1), ("{} decode", "short", "decode", 1),
              ("{} decode at {}", "long", "decode", 1), ("{} decode, batch 16", "batch", "decode", 16)]
    points = []
    for config in ("dense", "routed"):
        for name, row, phase, batch in wanted:
            for dtype, model in (("f32", {"dtype": "f32"}), ("bf16", {"dtype": "bf16", "weights": "same"}),
                                 ("int8", {"weights": "int8"})):
                found = [one for _, one in results.measured(row, phase, batch=batch, config=config, **model)]
                if found:
                    intensity = found[0]["cost"]["flops"] / found[0]["cost"]["bytes"]
                    rate = statistics.median(one["flops_per_second"] for one in found) / 1e9
                    points.append((name.format(config, found[0]["context"]), dtype, intensity, rate))
    return points


def grid():
    lines = []
    for power in range(-2, 11, 2):
        x = x_of(2.0 ** power)
        lines.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{BOTTOM}"/>')
        text = str(2 ** power) if power >= 0 else f"1/{2 ** -power}"
        lines.append(f'<text x="{x:.1f}" y="{BOTTOM + 18}" text-anchor="middle">{text}</text>')
    for value in (2, 5, 10, 20, 50, 100, 200, 500, 1000):
        y = y_of(value)
        lines.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    middle = (TOP + BOTTOM) / 2
    lines.append(f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{RIGHT - LEFT}" height="{BOTTOM - TOP}"/>')
    lines.append(f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 40}" text-anchor="middle">operations a byte</text>')
    lines.append(f'<text x="20" y="{middle}" text-anchor="middle" transform="rotate(-90 20 {middle})">GFLOP/s</text>')
    return lines


def roofs(limits):
    """The slope of the read bandwidth up to each peak, then the peak."""
    bandwidth = limits["read_bytes_per_second"] / 1e9
    lines = []
    peaks = [("f32", limits["f32_flops_per_second"] / 1e9), ("bf16", limits["bf16_flops_per_second"] / 1e9)]
    for dtype, peak in [pair for pair in peaks if pair[1]]:
        ridge = peak / bandwidth
        start = max(X_RANGE[0], Y_RANGE[0] / bandwidth)
        lines.append(f'<path class="roof {dtype}" d="M {x_of(start):.1f} {y_of(start * bandwidth):.1f} '
                     f'L {x_of(ridge):.1f} {y_of(peak):.1f} L {RIGHT} {y_of(peak):.1f}"/>')
        y = y_of(peak) + (15 if dtype == "f32" else -6)
        lines.append(f'<text class="small" x="{x_of(ridge) + 12:.1f}" y="{y:.1f}">'
                     f'{dtype} peak {peak:.0f} GFLOP/s</text>')
    x, y = x_of(2.6), y_of(2.6 * bandwidth)
    angle = -math.degrees(math.atan2((BOTTOM - TOP) / math.log(Y_RANGE[1] / Y_RANGE[0]),
                                     (RIGHT - LEFT) / math.log(X_RANGE[1] / X_RANGE[0])))
    lines.append(f'<text class="small" x="{x:.1f}" y="{y - 7:.1f}" transform="rotate({angle:.1f} {x:.1f} {y:.1f})">'
                 f'read {bandwidth:.1f} GB/s</text>')
    return lines


def place(x, y, taken):
    """Where the number of a point goes: the nearest place around it that is free."""
    for distance in (15, 26, 38, 52, 68):
        for turn in (90, 0, 180, 45, 135, 270, 315, 225):
            a = x + distance * math.cos(math.radians(turn))
            b = y + distance * math.sin(math.radians(turn))
            inside = LEFT + 8 < a < RIGHT - 8 and TOP + 8 < b < BOTTOM - 8
            if inside and all(abs(a - p) > 16 or abs(b - q) > 13 for p, q in taken):
                return a, b
    return x, y - 15


def marker(number, point):
    name, dtype, intensity, rate = point
    x, y = x_of(intensity), y_of(rate)
    head = (f'<g id="point{number}" class="{dtype}" data-intensity="{intensity:.6g}" data-gflops="{rate:.6g}">'
            f'<title>{escape(name)}, {dtype}</title>')
    if name.startswith("routed"):
        return head + f'<path d="M {x:.1f} {y - 6:.1f} l 6 6 l -6 6 l -6 -6 z"/></g>'
    return head + f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/></g>'


def points_and_key(points):
    lines, taken = [], [(x_of(x), y_of(y)) for _, _, x, y in points]
    for number, point in enumerate(points, 1):
        x, y = x_of(point[2]), y_of(point[3])
        a, b = place(x, y, taken)
        taken.append((a, b))
        short = max(0, 1 - 9 / math.hypot(a - x, b - y))  # ends before the number
        lines.append(f'<line class="leader" x1="{x:.1f}" y1="{y:.1f}" x2="{x + short * (a - x):.1f}" '
                     f'y2="{y + short * (b - y):.1f}"/>')
        lines.append(marker(number, point))
        lines.append(f'<text class="number" x="{a:.1f}" y="{b + 4:.1f}" text-anchor="middle">{number}</text>')
    lines.append(f'<text class="small" x="{RIGHT + 24}" y="{TOP + 4}">circles: dense; diamonds: routed; GFLOP/s</text>')
    for number, (name, dtype, _, rate) in enumerate(points, 1):
        y = TOP + 6 + 22 * number
        lines.append(f'<text x="{RIGHT + 24}" y="{y}">{number}</text>')
        lines.append(f'<text x="{RIGHT + 48}" y="{y}">{escape(name)}</text>')
        lines.append(f'<text class="{dtype}" x="{RIGHT + 252}" y="{y}">{dtype}</text>')
        lines.append(f'<text x="{WIDTH - 14}" y="{y}" text-anchor="end">{rate:.3g}</text>')
    return lines


def draw(results, caption):
    """The figure as text. `caption` names machine, commit and command."""
    limits = results.limits("bf16") or results.limits("f32")
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
             f'height="{HEIGHT}" role="img">',
             "<!-- SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception; drawn by bench/cpu/report -->",
             "<title>Roofline of the cpu target</title>", f"<style>{STYLE}</style>",
             f'<text class="title" x="{LEFT}" y="28">The cpu target: each phase and the limits of the machine</text>']
    parts += grid() + roofs(limits) + points_and_key(points_of(results))
    for i, line in enumerate(wrapped(caption, 140)):
        parts.append(f'<text class="small" x="{LEFT}" y="{BOTTOM + 64 + 15 * i}">{escape(line.strip())}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"
