#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""man.py TOOL PAGE HEADING VERSION: prints the man page (roff) of TOOL, made from the part of PAGE under HEADING.

What is said of a program is said once, in the pages of docs/. The part's first paragraph becomes NAME, its first block
of code SYNOPSIS, a paragraph that begins with "Exit status" (also one of the page's introduction) EXIT STATUS, the rest
of the introduction NOTES. Tables become lists, a row an entry. The markdown is what our pages use: headings,
paragraphs, indented code, tables, lists, and inline code, emphasis and links.
"""
import re
import sys
from collections import namedtuple

Block = namedtuple("Block", "kind content level", defaults=[0])  # kinds: heading, text, code, table, list


def blocks(text):
    """The blocks of a page, in order."""
    found = []
    for chunk in re.split(r"\n\s*\n", text):
        lines = chunk.strip("\n").split("\n")
        if not chunk.strip():
            continue
        heading = re.match(r"(#+) (.*)", lines[0])
        if heading:
            found.append(Block("heading", heading.group(2), len(heading.group(1))))
            lines = lines[1:]
        if not lines:
            continue
        if all(line.startswith("    ") for line in lines):
            found.append(Block("code", [line[4:] for line in lines]))
        elif lines[0].startswith("|"):
            found.append(Block("table", [cells(line) for line in lines if not re.match(r"\|[-:| ]+$", line)]))
        elif lines[0].startswith("- "):
            items = re.split(r"\n(?=- )", "\n".join(lines))
            found.append(Block("list", [" ".join(item[2:].split()) for item in items]))
        else:
            found.append(Block("text", " ".join(" ".join(lines).split())))
    return found


def cells(line):
    """The cells of a table's row; a bar behind a backslash is a character like any other."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]


def part(page, heading):
    """The page's introduction, and the blocks under `heading` up to the next of its level."""
    starts = [i for i, block in enumerate(page) if block.kind == "heading" and block.content == heading]
    if not starts:
        sys.exit(f"man.py: the page has no heading '{heading}'")
    start = starts[0]
    level = page[start].level
    end = next((i for i in range(start + 1, len(page)) if page[i].kind == "heading" and page[i].level <= level),
               len(page))
    first = next((i for i in range(1, len(page)) if page[i].kind == "heading"), len(page))
    introduction = page[1:first] if level > 1 else []
    body = [block._replace(level=block.level - level) for block in page[start + 1:end]]
    return introduction, body


def escape(text):
    text = text.replace("\\", "\\[rs]").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def inline(text):
    """Text with its inline marks as roff."""
    out = []
    for piece in re.split(r"(`[^`]+`)", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)):
        if piece.startswith("`"):
            out.append("\\fB" + escape(piece[1:-1]).removeprefix("\\&") + "\\fR")
        else:
            piece = escape(piece).removeprefix("\\&")
            piece = re.sub(r"\*\*([^*]+)\*\*", r"\\fB\1\\fR", piece)
            out.append(re.sub(r"(?<![\w*])\*([^*\s][^*]*)\*(?!\w)", r"\\fI\1\\fR", piece))
    joined = "".join(out)
    return "\\&" + joined if joined[:1] in (".", "'") else joined


def row_text(header, row):
    """What a table's row says after its first cell. A meaning, which is the last cell, comes before a default."""
    if len(row) == 2:
        return row[1]
    named = ["Required." if cell == "required" else f"{name[0].upper() + name[1:]}: {cell}."
             for name, cell in zip(header[1:], row[1:]) if cell]
    return " ".join([row[-1] + "."] + named[:-1] if header[-1] == "meaning" else named)


def roff(body):
    out = []
    for block in body:
        if block.kind == "heading":
            out.append(f".SH {inline(block.content).upper()}" if block.level == 1 else f".SS {inline(block.content)}")
        elif block.kind == "text":
            out += [".PP", inline(block.content)]
        elif block.kind == "code":
            out += [".PP", ".EX", ".RS 4"] + [escape(line) for line in block.content] + [".RE", ".EE"]
        elif block.kind == "list":
            for item in block.content:
                out += [".IP \\(bu 2", inline(item)]
        else:
            header, *rows = block.content
            for row in rows:
                out += [".TP", inline(row[0]), inline(row_text(header, row))]
    return out


def page_of(tool, introduction, body, version):
    status = [b for b in introduction + body if b.kind == "text" and b.content.startswith("Exit status")]
    notes = [b for b in introduction if b not in status]
    body = [b for b in body if b not in status]
    if not body or body[0].kind != "text":
        sys.exit(f"man.py: {tool}: the part must begin with a paragraph that says what the program does")
    synopsis = next((b for b in body if b.kind == "code"), None)
    if synopsis is None:
        sys.exit(f"man.py: {tool}: the part has no block of code for SYNOPSIS")
    body.remove(synopsis)
    first = re.match(r".*?[.:](?= |$)", body[0].content).group(0).rstrip(".:")
    name = first[0].lower() + first[1:]
    out = [f'.TH {tool.upper()} 1 "" "chimera {version}" "User Commands"',
           ".SH NAME", f"{escape(tool)} \\- {inline(name)}"]
    out += [".SH SYNOPSIS", ".EX"] + [escape(line) for line in synopsis.content] + [".EE", ".SH DESCRIPTION"]
    out += roff(body)
    out += [".SH EXIT STATUS"] + roff([b._replace(content=b.content.split(": ", 1)[1]) if ": " in b.content else b
                                       for b in status]) if status else []
    out += [".SH NOTES"] + roff(notes) if notes else []
    return "\n".join(out) + "\n"


def main():
    tool, path, heading, version = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        introduction, body = part(blocks(file.read()), heading)
    sys.stdout.write(page_of(tool, introduction, body, version))


if __name__ == "__main__":
    main()
