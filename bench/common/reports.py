# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The program `report` of a bench: what its `run` stored as tables in markdown, in a page too, and as figures."""

import argparse
import json
import os
import sys

import pages

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def arguments(doc, name, page, figures):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", default=os.path.join(ROOT, "build", "bench", name, "results.json"),
                        help=f"what bench/{name}/run wrote (build/bench/{name}/results.json)")
    shown = {"const": os.path.join(ROOT, "docs", page)} if page else {}
    parser.add_argument("--page", nargs="?" if page else None, **shown,
                        help="replace the tables of this page" + (f" (docs/{page})" if page else ""))
    if figures:
        parser.add_argument("--figures", nargs="?", const=os.path.join(ROOT, "docs", "figures"),
                            help="write the figures (SVG) into this folder (docs/figures)")
    return parser.parse_args()


def report(doc, name, results_of, tables, figures=None, page=None):
    """The whole program. `results_of` makes the results of the file's content; `tables` is {name: function of the
    results}, `figures` {name: function of the results and a caption}; `page` is its page in docs/."""
    options = arguments(doc, name, page, figures)
    with open(options.results, encoding="utf-8") as file:
        results = results_of(json.load(file))
    if options.page:
        with open(options.page, encoding="utf-8") as file:
            text = pages.fill(file.read(), tables, results)
        with open(options.page, "w", encoding="utf-8") as file:
            file.write(text)
    drawn = options.figures if figures else None
    if drawn:
        os.makedirs(drawn, exist_ok=True)
        caption = pages.where(results.data).strip() + f" Command: bench/{name}/run, then bench/{name}/report."
        for one, draw in figures.items():
            with open(os.path.join(drawn, one + ".svg"), "w", encoding="utf-8") as file:
                file.write(draw(results, caption))
    if not options.page and not drawn:
        for one, table in tables.items():
            print(f"## {one}\n\n{table(results)}")


def run(*arguments_of_report):
    """`report`; an error is one line."""
    try:
        report(*arguments_of_report)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"error: {error}")
