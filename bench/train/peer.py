#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The model of nano.json in eager PyTorch, trained from the weights of a model directory.

It computes what chimera-train computes: each token of a layer goes through one mode, chosen by the router, times its
probability. Tokens of a mode are gathered, padded to the longest sequence of the batch, so that no mode runs on tokens
that are not its own. bf16 is autocast. Prints a JSON line a step: seconds, loss, norm of the gradient before clipping."""

import argparse
import json
import math
import os
import struct
import time

import torch
from torch.nn import functional as F

EPS = 1e-5
DECAYS_NOT = ("norm", "bias", "A_log", ".D")


def load(folder):
    """The tensors of model.safetensors as parameters, by name."""
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            first, end = entry["data_offsets"]
            flat = torch.frombuffer(data, dtype=torch.float32, offset=first, count=(end - first) // 4)
            tensors[name] = flat.reshape(entry["shape"]).clone().requires_grad_(name.split(".")[-2:] != ["router", "bias"])
    return tensors


def windows(path, length):
    """Inputs and targets [windows, length] of a .npy file of int32; the last window is chimera-train's to hold out."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    ids = torch.frombuffer(data, dtype=torch.int32, offset=10 + struct.unpack_from("<H", data, 8)[0]).long()
    count = (len(ids) - 1) // length - 1
    return ids[:count * length].reshape(count, length), ids[1:count * length + 1].reshape(count, length)


class Nano:
    def __init__(self, config, tensors, half):
        self.config, self.tensors, self.half = config, tensors, half

    def norm(self, x, name):
        weight = self.tensors[name + ".weight"]
        return F.layer_norm(x, weight.shape, weight, self.tensors[name + ".bias"], EPS)

    def linear(self, x, name):
        return F.linear(x, self.tensors[name + ".weight"])

    def attend(self, h, places, window, name):
        """Attention among the rows of h [B, n, D], which stand at `places` [B, n]; `window` None: no limit."""
        batch, rows, _ = h.shape
        heads, size = self.config["num_attention_heads"], self.config["head_dim"]
        q, k, v = (self.linear(h, f"{name}.{p}_proj").view(batch, rows, heads, size).transpose(1, 2) for p in "qkv")
        rates = 10000 ** (-torch.arange(0, size, 2) / size)
        angles = places[:, None, :, None] * rates
        cos, sin = torch.cos(angles), torch.sin(angles)

        def turn(x):
            a, b = x.float().chunk(2, dim=-1)
            return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).to(x.dtype)

        index = torch.arange(rows)
        allowed = index[None, :] <= index[:, None]
        if window is not None:
            allowed = allowed & (index[:, None] - index[None, :] < window)
        scores = (turn(q) @ turn(k).transpose(-1, -2)).float() / math.sqrt(size)
        p = scores.masked_fill(~allowed, -math.inf).softmax(-1)
        out = (p @ v).transpose(1, 2).reshape(batch, rows, heads * size)
        return self.linear(out, name + ".o_proj")

    def ssm(self, h, name):
        """Mamba-2 over the rows of h [B, n, D], in its quadratic form."""
        batch, rows, width = h.shape
        ssm, get = self.config["ssm"], lambda key: self.tensors[f"{name}.{key}"]
        inner, state = ssm["expand"] * width, ssm["state_size"]
        heads = inner // ssm["head_dim"]
        z, xbc, dt = self.linear(h, name + ".in_proj").float().split([inner, inner + 2 * state, heads], dim=-1)
        taps = get("conv.weight")
        xbc = F.conv1d(F.pad(xbc.transpose(1, 2), (taps.shape[1] - 1, 0)), taps[:, None], get("conv.bias"),
                       groups=taps.shape[0])
        x, b, c = F.silu(xbc.float()).transpose(1, 2).split([inner, state, state], dim=-1)
        x = x.view(batch, rows, heads, -1).transpose(1, 2)
        dt = F.softplus(dt + get("dt_bias")).transpose(1, 2)
        decay = torch.cumsum(-torch.exp(get("A_log"))[:, None] * dt, dim=-1)
        causal = torch.ones(rows, rows, dtype=torch.bool).tril()
        between = (decay[..., :, None] - decay[..., None, :]).masked_fill(~causal, -math.inf).exp()
        y = (((c @ b.transpose(1, 2))[:, None] * between) * dt[..., None, :]) @ x + get("D")[:, None, None] * x
        y = y.float().transpose(1, 2).reshape(batch, rows, inner) * F.silu(z)
        y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + EPS) * get("norm.weight")
        return self.linear(y, name + ".out_proj")

    def mixer(self, mode, h, places, name):
        if mode == "ssm":
            return self.ssm(h, name + ".ssm")
        return self.attend(h, places, self.config["window"] if mode == "swa" else None, name + ".attn")

    def route(self, x, name):
        """What the modes add to x [B, T, D]."""
        h = self.norm(x, name + ".input_norm")
        with torch.autocast("cpu", enabled=False):
            logits = F.linear(h.float(), self.tensors[name + ".router.proj.weight"])
            p = logits.softmax(-1)
            wanted = (logits + self.tensors[name + ".router.bias"]).argmax(-1)
        for i, mode in enumerate(self.config["modes"]):
            chosen = wanted == i
            count = chosen.sum(1)
            most = int(count.max())
            if mode == "identity" or most == 0:
                continue
            places = torch.argsort((~chosen).int(), dim=1, stable=True)[:, :most]
            here = (torch.arange(most) < count[:, None])[..., None]
            wide = places[..., None].expand(-1, -1, h.shape[-1])
            out = self.mixer(mode, h.gather(1, wide), places, name).float() * p[..., i].gather(1, places)[..., None]
            x = x.scatter_add(1, wide, out * here)
        return x

    def loss(self, inputs, targets):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.half):
            x = self.tensors["embed_tokens.weight"][inputs]
            for layer in range(self.config["num_hidden_layers"]):
                name = f"layers.{layer}"
                x = self.route(x, name)
                u = self.norm(x, name + ".ffn_norm")
                u = F.silu(self.linear(u, name + ".ffn.gate_proj")) * self.linear(u, name + ".ffn.up_proj")
                x = x + self.linear(u, name + ".ffn.down_proj")
            logits = self.linear(self.norm(x, "norm"), "embed_tokens")
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("data", help="a .npy file of int32")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seq", type=int, default=256)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with open(os.path.join(options.model, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    tensors = load(options.model)
    inputs, targets = windows(options.data, options.seq)
    model = Nano(config, tensors, options.dtype == "bf16")
    trained = {name: tensor for name, tensor in tensors.items() if tensor.requires_grad}
    plain = [name for name in trained if any(part in name for part in DECAYS_NOT)]
    optimizer = torch.optim.AdamW([{"params": [trained[n] for n in plain], "weight_decay": 0},
                                   {"params": [t for n, t in trained.items() if n not in plain]}],
                                  lr=1e-5, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    for step in range(options.steps):
        start = time.monotonic()
        rows = torch.arange(step * options.batch, (step + 1) * options.batch) % len(inputs)
        optimizer.zero_grad()
        loss = model.loss(inputs[rows], targets[rows])
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(trained.values()), 1.0)
        optimizer.step()
        result = {"seconds": time.monotonic() - start, "loss": float(loss), "norm": float(norm)}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
