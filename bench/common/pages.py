# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What pages of measurements have in common: tables in markdown, put between marks, and the captions of figures."""


def table(head, rows, numbers=()):
    """A markdown table; columns of `numbers` are aligned to the right."""
    line = "|".join("--:" if i in numbers else "---" for i in range(len(head)))
    return "\n".join(["| " + " | ".join(head) + " |", f"|{line}|"] +
                     ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def fill(page, tables, results):
    """The page with the tables between its marks replaced: `tables` is {name: function of the results}.
    ValueError: an unknown name or a missing end."""
    lines, out = page.splitlines(keepends=True), []
    while lines:
        line = lines.pop(0)
        out.append(line)
        words = line.split()
        if words[:2] != ["<!--", "begin"] or words[-1] != "-->" or len(words) != 4:
            continue
        name, end = words[2], f"<!-- end {words[2]} -->"
        if name not in tables:
            raise ValueError(f"there is no table {name}: only {', '.join(tables)}")
        while lines and lines[0].strip() != end:
            lines.pop(0)
        if not lines:
            raise ValueError(f"no line {end}")
        out.append("\n" + tables[name](results) + "\n")
    return "".join(out)


def wrapped(text, width):
    """The text's words as lines of about so many characters."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += word + " "
    return lines
