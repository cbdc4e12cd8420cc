# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models of text, byte by byte: contenders of one width and depth that differ in how they look back."""

import json
import os
from dataclasses import dataclass

from contest import FAR

LAYERS = 4
MODES = ["ssm", "swa", "full", "identity"]


@dataclass(frozen=True)
class Contender:
    """The modes of each layer; with several, the share of the tokens that the balancer aims at for `full`."""

    layers: tuple
    full: float = 0.0


def static(*modes):
    """One mode a layer; fewer of them repeat."""
    return Contender(tuple((mode,) for mode in modes * (LAYERS // len(modes))))


def routed(full):
    """All modes in all layers."""
    return Contender((tuple(MODES),) * LAYERS, full)


# Contenders of all comparisons of text, by name; what stands before a "-" is the family, which has a colour.
CONTENDERS = {
    "dense": static("full"),
    "ssm": static("ssm"),
    "window": static("swa"),
    "hybrid-3of4": static("ssm", "full", "full", "full"),
    "hybrid-2of4": static("ssm", "full"),
    "hybrid-1of4": static("ssm", "ssm", "full", "ssm"),
    "local-2of4": static("swa", "full"),
    "local-1of4": static("swa", "swa", "full", "swa"),
    "chimera-25": routed(0.25),
    "chimera-10": routed(0.1),
    "chimera-5": routed(0.05),
    "chimera-2": routed(0.02),
}


def routing(full):
    """What a routed model has beside the others: its router, and how it is trained. The shares are held by the
    balancer from the first step (docs/training.md says why)."""
    return {
        "router": {"kind": "mlp", "gate": "prob", "write_gate": True, "balancer": {"step": 5e-3},
                   "target": {"ssm": round(0.7 - full, 4), "swa": 0.2, "full": full, "identity": 0.1}},
        "training": {"routing": "hard", "balancer": {"factor": [[0.85, 1], [0.95, 0.1], [1, 0.02]]}},
    }


def config(name, width, lr):
    """The config.json of that contender at a width, and with a learning rate."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "text.json"), encoding="utf-8") as file:
        found = json.load(file)
    one, heads = CONTENDERS[name], width // found["head_dim"]
    found.update(FAR, hidden_size=width, num_hidden_layers=LAYERS, num_attention_heads=heads,
                 num_key_value_heads=max(1, heads // 2), intermediate_size=3 * width,
                 modes=[list(modes) for modes in one.layers])
    found["training"]["optimizer"]["lr"] = lr
    if one.full:
        own = routing(one.full)
        found["router"] = own["router"]
        found["training"].update(own["training"])
        found["training"]["optimizer"]["router_lr"] = 0.1
    return found
