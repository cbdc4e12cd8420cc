# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is measured of a trained and compiled model: recall and caches at a context, and the sequences to time."""

import os

import arrays
import recall
from logs import read_run
from tried import try_model


def trained(folder, recipe):
    """What the log says of a finished run. ValueError: it did not reach its last step."""
    records, evaluations = read_run(folder, recipe.steps)
    return {"parameters": records[0]["parameters"], "accuracy": evaluations[-1]["hard"]["accuracy"]}


def at_context(call, folder, binary, layout, count):
    """Of so many sequences: right and asked questions, and what try_model says."""
    counts = []
    found = try_model(call, folder, binary, recall.sequences(layout, count),
                      lambda *answers: counts.append(recall.count_right(*answers)))
    return {"right": sum(right for right, _ in counts), "asked": sum(asked for _, asked in counts), **found}


def write_tokens(folder, recipe, speed):
    """The path of a file with the speed's sequences."""
    path = os.path.join(folder, f"T{speed.seq}-pairs{speed.pairs}-batch{speed.batch}.npy")
    arrays.write_sequences(path, recall.sequences(speed.layout(recipe), speed.batch))
    return path
