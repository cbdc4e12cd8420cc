# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables that contests of models of text share, in markdown."""

import outcomes

CONTEXT = {"seq": "T"}


def four_digits(number):
    return f"{number:.4f}"


def training(results):
    return outcomes.training(results, "loss, nats per byte", lambda entry: four_digits(entry["loss"]))


def bits(results):
    """Bits a byte of held-out text."""
    return outcomes.by_contender(results, "text", CONTEXT, lambda entry: (entry["bits"], four_digits))


def speed(results):
    return outcomes.speed(results, CONTEXT)
