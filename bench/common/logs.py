# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What chimera-train's log.jsonl says."""

import json
import os


def read_log(path):
    """The objects of a log.jsonl; a line that a killed run did not finish ends it."""
    records = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            try:
                records.append(json.loads(line))
            except ValueError:
                break
    return records


def read_run(folder, steps):
    """(all objects, the evaluations) of a run's log. ValueError: it did not reach its last step."""
    records = read_log(os.path.join(folder, "log.jsonl"))
    evaluations = [one for one in records if one["kind"] == "evaluation"]
    if not evaluations or evaluations[-1]["step"] != steps:
        raise ValueError(f"the run ended before step {steps}")
    return records, evaluations
