# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What pages of measurements have in common: tables and numbers in markdown, put between marks, and the captions of
figures."""

from statistics import median


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


def percent(share, digits=1):
    return f"{100 * share:.{digits}f} %"


def spread(values, write, missing="-"):
    """The median, and from the least to the greatest where they differ."""
    if not values:
        return missing
    least, greatest = write(min(values)), write(max(values))
    return write(median(values)) + (f" ({least} - {greatest})" if least != greatest else "")


def one_line(text):
    """As a cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


def kib(value):
    return f"{value / 1024:.1f}"


def where(data):
    """One paragraph of the content of a file of results: the machine, when and what."""
    entries = data["entries"]
    if not entries:
        return ""
    machine, dates = data["machine"], sorted(entry["date"] for entry in entries)
    cpus, commits, threads = (list(dict.fromkeys(entry[key] for entry in entries))
                              for key in ("cpu", "commit", "threads"))
    trained = sum(entry["kind"] == "training" for entry in entries)
    return (f"{', '.join(cpus)}: {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB, Linux "
            f"{machine['kernel']}, with {', '.join(machine['features'])}. {trained} trainings, "
            f"{dates[0]} to {dates[-1]} UTC, at commit {', '.join(commits)}; threads of a program: "
            f"{', '.join(str(number) for number in threads)}.\n")
