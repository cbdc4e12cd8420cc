# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""LaTeX: text, numbers, tables, macros, plots."""

import re

import svg

# How the paper calls the contenders; bench/ has the names on the left.
NAMES = {"dense": "dense", "ssm": "Mamba-2", "window": "window", "hybrid": "hybrid", "hybrid-2": "hybrid 1/2",
         "hybrid-4": "hybrid 1/4", "chimera": "routed"}
MARKS = {"dense": "*", "ssm": "triangle*", "window": "diamond*", "hybrid": "square*", "hybrid-2": "square*",
         "hybrid-4": "square", "chimera": "pentagon*"}
SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
           **{sign: "\\" + sign for sign in "&%$#_{}"}}
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def escaped(text):
    return "".join(SPECIAL.get(sign, sign) for sign in text)


def cell(text):
    """A cell of a markdown table: code in its own font, ranges with a dash."""
    parts = re.split(r"`([^`]*)`", text)
    words = [escaped(part) if i % 2 == 0 else rf"\texttt{{{escaped(part)}}}" for i, part in enumerate(parts)]
    return re.sub(r" - ", "--", re.sub(r"(\d) \\%", r"\1\\,\\%", "".join(words)))


def whole(value):
    """1234567 as 1 234 567, with thin spaces that do not break."""
    return f"{value:,.0f}".replace(",", r"\,")


def plain(value, digits=1):
    """As few digits as say the same: 100, 99.7."""
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(value):
    """A percentage with two digits; exactly 100 without."""
    return "100" if value == 100 else f"{value:.2f}"


def signed(value, digits=2):
    """With its sign; zero, also by rounding, without."""
    text = f"{value:+.{digits}f}"
    return f"${text if float(text) else text[1:]}$"


def counted(value, noun):
    """"one seed", "two seeds", "12 seeds"."""
    return f"{COUNTS[value] if value < len(COUNTS) else value} {noun}{'' if value == 1 else 's'}"


def listed(words):
    """"a, b and c"."""
    words = list(words)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def table(columns, head, rows, spaces=(), under=()):
    """A tabular with rules above, below and under the head (a row, or two, with rules between them from column to
    column), and a space before the rows numbered in `spaces`."""
    heads = [" & ".join(one) + r" \\" for one in (head if isinstance(head[0], (list, tuple)) else [head])]
    between = ["".join(rf"\cmidrule(lr){{{first}-{last}}}" for first, last in under)] if under else []
    lines = [r"\begin{tabular}{" + columns + "}", r"\toprule", heads[0], *between, *heads[1:], r"\midrule"]
    for i, row in enumerate(rows):
        lines += ([r"\addlinespace"] if i in spaces else []) + [" & ".join(row) + r" \\"]
    return "\n".join(lines + [r"\bottomrule", r"\end{tabular}"]) + "\n"


def changes(rows):
    """The numbers of the rows whose first cell is not that of the row before."""
    return [i for i in range(1, len(rows)) if rows[i][0] != rows[i - 1][0]]


def macros(values):
    """\\newcommand for each name, which has letters only."""
    for name in values:
        if not re.fullmatch("[A-Za-z]+", name):
            raise ValueError(f"'{name}' cannot be the name of a macro")
    return "".join(rf"\newcommand{{\{name}}}{{{value}}}" + "\n" for name, value in values.items())


def colours():
    """Those of the project's other figures (bench/common/svg.py): cdense, cmssm, ..."""
    return "".join(rf"\definecolor{{c{name.replace('-', '')}}}{{HTML}}{{{value[1:].upper()}}}" + "\n"
                   for name, value in svg.LIGHT.items())


def colour(contender):
    """A family has one colour."""
    return f"c{contender.split('-')[0]}"


def style(contender):
    """The look of a contender's marks and lines."""
    return f"color={colour(contender)}, mark={MARKS[contender]}"


def coordinates(points):
    """Points (x, y), or (x, y, below, above) with the lengths of error bars."""
    out = []
    for x, y, *bars in points:
        out.append(f"({x:g},{y:.6g})" + (f" += (0,{bars[1]:.6g}) -= (0,{bars[0]:.6g})" if bars else ""))
    return " ".join(out)


def addplot(options, points):
    return rf"\addplot[{options}] coordinates {{{coordinates(points)}}};" + "\n"


def legend(entries):
    """Entries (options of the mark or line, text) of a legend that belongs to no plot."""
    return "".join(rf"\addlegendimage{{{options}}}\addlegendentry{{{text}}}" + "\n" for options, text in entries)
