#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a trained model to a picture of its routing, step by step.

    PYTHONPATH=build/release/python python3 examples/python/routing.py --out /tmp/routing

docs/python.md explains the package. The picture needs matplotlib (Debian's python3-matplotlib).
"""
import argparse
import pathlib

import numpy as np

import chimera

SOURCE = pathlib.Path(__file__).resolve().parent.parent
COLOURS = ["#4477aa", "#ddaa33", "#bb5566", "#dddddd"]  # ssm, swa, full, identity

parser = argparse.ArgumentParser(description="Runs a model and plots which mode each token took in each layer.")
parser.add_argument("--model", type=pathlib.Path, default=SOURCE / "text", help="a folder with config and weights")
parser.add_argument("--prompt", default="In those days")
parser.add_argument("--new-tokens", type=int, default=120)
parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."), help="the folder for what is made")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)

# 1. The compiler makes a binary of the config; the weights stay where they are.
binary = chimera.compile(options.model, options.out / "model.chm", target="cpu", dtype="bf16")

# 2. What is in it?
model = chimera.Model(binary, weights=options.model)
print(f"{model.layers} layers, {model.vocab_size} tokens, {model.dtype}, runs as {model.variant}")
for layer, modes in enumerate(model.modes):
    print(f"  layer {layer}: {', '.join(modes)}")

# 3. A text goes on.
made = model.generate(options.prompt, options.new_tokens, temperature=0.8, top_p=0.95, seed=1)
print(options.prompt + made.text)

# 4. The same tokens once more, in one step, to see their routing and how likely they were.
ids = np.concatenate([model.tokenizer.encode(options.prompt), made.tokens])
with model.session() as session, session.add() as sequence:
    output = sequence.step(ids, "all")
    caches = sequence.memory()
logits = output.logits[:-1].astype(np.float64)
logs = logits - logits.max(axis=1, keepdims=True)
logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
bits = -logs[np.arange(len(ids) - 1), ids[1:]] / np.log(2)
print(f"{bits.mean():.2f} bits a token")

# 5. Which mode took how many tokens, and what it keeps.
for mode in chimera.Mode:
    share = (output.routing == mode).mean()
    used = caches[mode.name.lower()].used if mode != chimera.Mode.IDENTITY else 0
    print(f"  {mode.name.lower():9}{share:6.1%} of all tokens and layers, {used:8,} bytes in use")

# 6. A picture: a row a layer, a column a token.
try:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import colors, patches, pyplot
except ImportError:
    print("for the picture install matplotlib (Debian: apt install python3-matplotlib)")
else:
    figure, axes = pyplot.subplots(figsize=(12, 1.5 + 0.35 * model.layers))
    axes.imshow(output.routing.T, aspect="auto", interpolation="nearest", cmap=colors.ListedColormap(COLOURS),
                vmin=-0.5, vmax=3.5)
    axes.set_xlabel("token")
    axes.set_ylabel("layer")
    axes.set_yticks(range(model.layers))
    axes.legend(handles=[patches.Patch(color=COLOURS[mode], label=mode.name.lower()) for mode in chimera.Mode],
                ncol=4, loc="lower right", bbox_to_anchor=(1, 1))
    figure.savefig(options.out / "routing.png", dpi=120, bbox_inches="tight")
    print(f"wrote {options.out / 'routing.png'}")
