# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is measured of a trained model: chimera-train's last evaluation, and the compiled model on other sequences."""

import json

import arrays
import cache
import recall
from logs import read_run
from programs import MODES, compile_model, run_model


def static_entries(config, seq):
    """List entries of layers without a choice: all tokens of those that are `full`."""
    return sum(seq for modes in config["modes"] if modes == ["full"])


def listed(classes, config, seq):
    """Entries in the lists of a sequence, summed over layers, mean, from an evaluation's `classes` (tokens of each
    class over all evaluated sequences, and the shares of modes)."""
    entries = static_entries(config, seq)
    for layer in {one["layer"] for one in classes}:
        mine = [one for one in classes if one["layer"] == layer]
        full = MODES.index("full")
        entries += seq * sum(one["shares"][full] * one["tokens"] for one in mine) / sum(one["tokens"] for one in mine)
    return entries


def trained(folder, work):
    """What the log says of a finished run. ValueError: it did not reach its last step."""
    records, evaluations = read_run(folder, work.size.steps)
    last, steps = evaluations[-1], [one for one in records if one["kind"] == "step"]
    classes = last.get("classes", [])
    return {
        "parameters": records[0]["parameters"],
        "hard": last["hard"]["accuracy"],
        "soft": last["soft"]["accuracy"] if "soft" in last else None,
        "loss": last["hard"]["loss"],
        "classes": classes,
        "entries": listed(classes, work.settings()["config"], work.size.seq),
        "cap": steps[-1].get("cap"),
        "curve": [[one["step"], one["hard"]["accuracy"], one.get("soft", {}).get("accuracy")] for one in evaluations],
    }


def shares_by_class(found, routing, layers):
    """As an evaluation's `classes`, of all layers: {"layer", "positions", "shares", "tokens"}."""
    counts = {}
    flat = iter(routing)
    for one in found:
        for kind in one.classes:
            for layer in range(layers):
                counts.setdefault((layer, kind), [0] * len(MODES))[next(flat)] += 1
    return [{"layer": layer, "positions": kind, "shares": [n / sum(modes) for n in modes], "tokens": sum(modes)}
            for (layer, kind), modes in sorted(counts.items(), key=lambda item: (item[0][0],
                                                                                 recall.CLASSES.index(item[0][1])))]


def accuracy(found, logits, vocabulary):
    """The share of the questions whose value has the highest logit."""
    right, asked = recall.count_right(found, logits, vocabulary)
    return right / asked


def compiled(call, folder, work, listed_entries):
    """The compiled model on sequences of its own: accuracy, list entries, routing; and the cache bytes a sequence that
    `listed_entries`, those of the last evaluation, need."""
    binary = compile_model(call, folder)
    manifest = json.loads(call(["chimera-inspect", binary, "--json"])[0])
    found = recall.sequences(work.size, work.size.compiled)
    logits, vocabulary, routing, layers, stderr = run_model(call, binary, folder, folder, *arrays.shape_and_ids(found))
    full = MODES.index("full")
    stats, row = cache.read_stats(stderr), work.size.seq * layers  # modes of a sequence
    taken = [[{mode: routing[b * row + layer:(b + 1) * row:layers].count(i) for i, mode in enumerate(MODES)}
              for layer in range(layers)] for b in range(len(found))]
    cache.check(manifest, stats, taken)
    return {"sequences": len(found), "accuracy": accuracy(found, logits, vocabulary),
            "entries": routing.count(full) / len(found),
            "entries_by_layer": [routing[layer::layers].count(full) / len(found) for layer in range(layers)],
            "classes": shares_by_class(found, routing, layers), "entry_bytes": cache.entry_bytes(manifest),
            "needed": cache.needed(manifest, listed_entries), "reserved": stats["total"][0] / len(found)}
