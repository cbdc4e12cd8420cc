# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables of docs/performance.md, in markdown, from what bench/cpu/run stored."""

import statistics

from pages import table

# What llama.cpp reached for a dense bf16 prefill of 512 on another machine (two Sapphire Rapids cores), tokens/s.
LLAMA_PREFILL = 692


def percent(share):
    return f"{100 * share:.0f} %"


def seconds(value):
    return f"{value:.2f} s"


class Results:
    """The stored file, with the questions that tables ask."""

    def __init__(self, data):
        self.data = data
        self.entries = data["entries"]

    def of(self, row, label=None, **model):
        """The entries of a row whose model has these values."""
        return [entry for entry in self.entries
                if entry["row"] == row and (label is None or entry["label"] == label)
                and all(entry["model"][key] == value for key, value in model.items())]

    def measured(self, row, phase, label=None, batch=1, program="chimera", **model):
        """(entry, measurement) pairs of a row."""
        return [(entry, one) for entry in self.of(row, label, **model) for one in entry["result"]["results"]
                if one["phase"] == phase and one["batch"] == batch and one["program"] == program]

    def value(self, key, *args, **kwargs):
        """The median of a number over the measurements that match; None without any. `key` may be "speed"."""
        def read(one):
            return one["tokens_per_second"]["median"] if key == "speed" else one[key]
        values = [read(one) for _, one in self.measured(*args, **kwargs)]
        return statistics.median(values) if values else None

    def ratio(self, key, over, under):
        """Of two lists of (args, kwargs) for `value`."""
        a, b = self.value(key, *over[0], **over[1]), self.value(key, *under[0], **under[1])
        return a / b if a and b else None

    def limits(self, dtype):
        """The machine's limits, medians over the measurements of the dense model in this dtype."""
        machines = [entry["result"]["machine"] for row in ("short", "long") for entry in
                    self.of(row, config="dense", dtype=dtype)]
        keys = ("read_bytes_per_second", "f32_flops_per_second", "bf16_flops_per_second")
        return {key: statistics.median(machine[key] for machine in machines) for key in keys} if machines else None


def product_kernels(entry):
    """Of a dense prefill's profile: (kernel, launches, GFLOP/s of the median launch, flops), the most work first.
    Products of one row, the last one's logits, are left out."""
    kernels = []
    for measured in entry["result"]["results"]:
        if measured["phase"] != "prefill":
            continue
        for kernel in measured["profile"]["kernels"]:
            if kernel["matrix_flops"] > 16 * kernel["bytes"]:
                rate = kernel["flops"] / kernel["launches"] / kernel["median_nanoseconds"]
                kernels.append((kernel["kernel"], kernel["launches"], rate, kernel["flops"]))
    return sorted(kernels, key=lambda kernel: -kernel[3])


def product_rate(entry):
    """GFLOP/s of all products of a prefill together."""
    kernels = product_kernels(entry)
    return sum(flops for *_, flops in kernels) / sum(flops / rate for *_, rate, flops in kernels)


def kind(entry):
    model = entry["model"]
    return model["dtype"] if model["weights"] == "same" else model["weights"]


def verdict(value, least):
    return "reached" if value >= least else "not reached"


def products_row(results, machine):
    rows = []
    for entry in results.of("short", config="dense", dtype="f32"):
        share = product_rate(entry) * 1e9 / entry["result"]["machine"]["f32_flops_per_second"]
        rates = [rate for _, _, rate, _ in product_kernels(entry)]
        peak = entry["result"]["machine"]["f32_flops_per_second"] / 1e9
        rows.append(("f32 matrix products, M 512", "75 % of the measured FMA peak",
                     f"{percent(share)} of {peak:.0f} GFLOP/s (kernels: {percent(min(rates) / peak)} to "
                     f"{percent(max(rates) / peak)})", verdict(share, .75)))
    amx = "amx_bf16" in machine["features"]
    for entry in results.of("short", config="dense", dtype="bf16", weights="same"):
        rate, instruction = product_rate(entry), entry["result"]["machine"]["bf16_instruction"]
        peak = entry["result"]["machine"]["bf16_flops_per_second"] / 1e9
        text = f"{rate:.0f} GFLOP/s with {instruction}" + (f", {percent(rate / peak)} of its peak" if peak else "")
        rows.append(("bf16 matrix products on AMX, M 512", "1.5 TFLOP/s", text,
                     verdict(rate, 1500) if amx else "not measurable: no AMX here"))
    return rows


def decode_rows(results):
    rows = []
    for name, model in (("f32", {"dtype": "f32"}), ("bf16", {"dtype": "bf16", "weights": "same"}),
                        ("int8", {"weights": "int8"}), ("int4", {"weights": "int4"})):
        share = results.value("read_share", "short", "decode", config="dense", **model)
        if share:
            speed = results.value("speed", "short", "decode", config="dense", **model)
            rows.append((f"dense decode, batch 1, short context, {name}", "85 % of the measured read bandwidth",
                         f"{percent(share)}, {speed:.1f} tokens/s", verdict(share, .85)))
    for dtype in ("f32", "bf16"):
        found = results.measured("long", "decode", config="dense", dtype=dtype)
        for _, one in found:
            rows.append((f"dense decode, batch 1, context {one['context']}, {dtype}", "80 % of the same",
                         f"{percent(one['read_share'])}, {one['tokens_per_second']['median']:.1f} tokens/s",
                         verdict(one["read_share"], .8)))
    return rows


def target_rows(results):
    machine, rows = results.data["machine"], []
    rows += products_row(results, machine) + decode_rows(results)
    speed = results.value("speed", "short", "prefill", config="dense", dtype="bf16", weights="same")
    if speed:
        rows.append(("dense prefill of 512, bf16", f"4x llama.cpp's {LLAMA_PREFILL} tokens/s of another machine",
                     f"{speed:.0f} tokens/s, {speed / LLAMA_PREFILL:.1f}x", verdict(speed, 4 * LLAMA_PREFILL)))
    for dtype in ("f32", "bf16"):
        over, under = ((("long", "decode"), {"config": name, "dtype": dtype}) for name in ("routed", "dense"))
        faster, smaller = results.ratio("speed", over, under), results.ratio("cache_bytes", under, over)
        if faster:
            rows.append((f"routed (.6/.2/.1/.1, forced) against dense, long context, {dtype}",
                         "5x tokens/s, 7x less cache", f"{faster:.1f}x, {smaller:.1f}x less",
                         "reached" if faster >= 5 and smaller >= 7 else "not reached"))
    many, one = (results.value("speed", "batch", "decode", batch=batch) for batch in (16, 1))
    if many and one:
        rows.append(("batch 16 decode, bf16", "8x the tokens/s of batch 1", f"{many / one:.1f}x",
                     verdict(many / one, 8)))
    for phase in ("prefill", "decode"):
        idle, busy = (results.value("speed", "busy", phase, label=label) for label in ("idle", "busy"))
        if idle and busy:
            rows.append((f"another process burning one core, {phase}", "no worse than 2.2x slower",
                         f"{idle / busy:.2f}x slower", verdict(2.2, idle / busy)))
    compiles = [(statistics.median(entry["seconds"]), entry["model"]["name"]) for entry in results.of("compile")]
    if compiles:
        text = f"{seconds(min(compiles)[0])} ({min(compiles)[1]}) to {seconds(max(compiles)[0])} ({max(compiles)[1]})"
        rows.append(("compile time, one instruction set", "under 5 s", text, verdict(5, max(compiles)[0])))
    return rows


def targets(results):
    return table(("work", "target", "measured", ""), target_rows(results))


def products(results):
    rows = []
    for entry in results.of("short", config="dense"):
        machine = entry["result"]["machine"]
        peak = max(machine["f32_flops_per_second"], machine["bf16_flops_per_second"]) / 1e9
        rows += [(kind(entry), f"`{kernel}`", launches, f"{rate:.0f}", percent(rate / peak))
                 for kernel, launches, rate, _ in product_kernels(entry)]
    return table(("dtype", "kernel", "launches", "GFLOP/s", "of the dtype's peak"), rows, (2, 3, 4))


def speeds(results):
    rows = []
    for row in ("short", "long", "batch", "busy"):
        for entry in results.of(row):
            for one in entry["result"]["results"]:
                speed = one["tokens_per_second"]
                rows.append((entry["model"]["config"] + (f", {entry['label']}" if entry["label"] else ""), kind(entry),
                             one["phase"], one["batch"], one["context"], f"{speed['median']:.1f}",
                             f"{speed['deviation']:.1f}", f"{one['bytes_per_second'] / 1e9:.1f}",
                             percent(one["read_share"]), f"{one['flops_per_second'] / 1e9:.0f}",
                             percent(one["peak_share"]), f"{one['cache_bytes'] / 1e6:.0f}"))
    return table(("model", "dtype", "phase", "batch", "context", "tokens/s", "+-", "GB/s", "of read", "GFLOP/s",
                  "of peak", "cache MB"), rows, range(3, 12))


def spread(values, digits=0):
    """The median, and what lies between the least and the greatest of several rounds."""
    text = f"{statistics.median(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):.{digits}f} - {max(values):.{digits}f})"


def switches(results):
    """Runs that differ in one thing: medians over the rounds."""
    rows, runs = [], {}
    for entry in results.of("switches"):
        runs.setdefault((entry["model"]["config"], entry["model"]["dtype"], entry["label"]), []).append(entry)
    for key, entries in runs.items():
        def of(phase, read, found=entries):
            return [read(one) for entry in found for one in entry["result"]["results"] if one["phase"] == phase]
        prefill = of("prefill", lambda one: one["tokens_per_second"]["median"])
        rows.append((*key, spread(prefill) if prefill else "-",
                     spread(of("decode", lambda one: one["tokens_per_second"]["median"])),
                     spread(of("decode", lambda one: 100 * one["read_share"])) + " %"))
    return table(("model", "dtype", "what", "prefill of 512, tokens/s", "decode, tokens/s", "of read"), rows, (3, 4, 5))


# Ops of both targets, by what they do.
FAMILIES = [
    ("matrix products", ("linear", "fused_linear")),
    ("activations, sums, gates", ("activate", "glu", "soft_cap", "scale", "add", "add_bias", "add_expert", "combine")),
    ("norms", ("norm", "fused_norm", "gated_norm", "fused_gated_norm")),
    ("rotary embedding", ("rope", "rope_table", "fused_rope")),
    ("attention", ("attend", "fused_attend")),
    ("appending to caches", ("append",)),
    ("convolution and its tail", ("causal_conv", "shift_tail", "fused_conv")),
    ("recurrent scan", ("ssm_scan", "lti_scan")),
    ("moving rows and columns", ("gather", "columns", "join_columns", "scale_columns", "zeros")),
]


def family_of(op):
    plain = op.split(".")[-1]
    for name, ops in FAMILIES:
        if plain in ops:
            return name
    return "routing, embedding and the rest"


def families(results):
    """Milliseconds of each family in a run of ref and of cpu."""
    rows = []
    for config in ("dense", "routed"):
        for phase in ("prefill", "decode"):
            times = []
            for target in ("ref", "cpu"):
                sums = {}
                for _, one in results.measured("ref", phase, config=config, target=target):
                    for kernel in one["profile"]["kernels"]:
                        name = family_of(kernel["op"])
                        sums[name] = sums.get(name, 0) + kernel["nanoseconds"] / 1e6
                times.append(sums)
            for name in [name for name, _ in FAMILIES] + ["routing, embedding and the rest"]:
                old, new = times[0].get(name, 0), times[1].get(name, 0)
                if old or new:
                    gain = f"{old / new:.0f}x" if new and old / new >= 9.5 else f"{old / new:.1f}x" if new else "fused"
                    rows.append((config, phase, name, f"{old:.2f}", f"{new:.3f}", gain))
    return table(("model", "phase", "kernels", "ref, ms", "cpu, ms", "gain"), rows, (3, 4, 5))


def launches(results):
    rows = []
    for entry in results.of("ref"):
        count, found = entry["launches"], {one["phase"]: one for one in entry["result"]["results"]}
        ran = sum(kernel["calls"] for kernel in found["decode"]["profile"]["kernels"]) / found["decode"]["tokens"]
        rows.append((entry["model"]["config"], entry["model"]["target"], count["kernels"], count["bytes"],
                     count["prefill"], count["decode"], f"{ran:.0f}",
                     *(f"{found[phase]['tokens_per_second']['median']:.1f}" for phase in ("prefill", "decode"))))
    return table(("model", "target", "kernels", "bytes of code", "launches of prefill", "of decode",
                  "run in a decode step", "prefill of 64, tokens/s", "decode, tokens/s"), rows, range(2, 9))


def peers(results):
    rows, notes = [], {}
    for entry in results.of("peers"):
        for one in entry["result"]["results"]:
            speed = one["tokens_per_second"]
            rows.append((one["program"], kind(entry), one["phase"], f"{speed['median']:.1f}",
                         f"{speed['deviation']:.1f}"))
        notes.update({note["program"]: note["note"] for note in entry["result"]["notes"]})
    text = table(("program", "dtype", "phase", "tokens/s", "+-"), rows, (3, 4))
    return text + "".join(f"\n{program}: {note}.\n" for program, note in notes.items())


def compiles(results):
    rows = [(entry["model"]["config"], kind(entry), seconds(statistics.median(entry["seconds"])),
             seconds(min(entry["seconds"])), seconds(max(entry["seconds"]))) for entry in results.of("compile")]
    return table(("model", "dtype", "median", "least", "most"), rows, (2, 3, 4))


def where(results):
    """One paragraph: the machine, the limits, when and what."""
    machine = results.data["machine"]
    dates = sorted(entry["date"] for entry in results.entries)
    commits = list(dict.fromkeys(entry["commit"] for entry in results.entries))
    text = (f"{machine['cpu']} ({machine['vendor']}, family {machine['family']}, model {machine['model']}), "
            f"{machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB, Linux {machine['kernel']}, "
            f"with {', '.join(machine['features'])}. Measured {dates[0]} to {dates[-1][11:]} UTC at commit "
            f"{', '.join(commits)}{' with --quick' if results.data['quick'] else ''}.")
    limits = results.limits("bf16") or results.limits("f32")
    if limits:
        reads = [entry["result"]["machine"]["read_bytes_per_second"] / 1e9 for entry in results.entries
                 if "result" in entry]
        text += (f" Limits, medians over the dense model's runs: {limits['read_bytes_per_second'] / 1e9:.1f} GB/s read "
                 f"({min(reads):.1f} to {max(reads):.1f} over all runs), "
                 f"{limits['f32_flops_per_second'] / 1e9:.0f} GFLOP/s of f32")
        if limits["bf16_flops_per_second"]:
            text += f", {limits['bf16_flops_per_second'] / 1e9:.0f} of bf16 products"
        text += "."
    return text + "\n"


TABLES = {"where": where, "targets": targets, "products": products, "speeds": speeds, "switches": switches,
          "families": families, "launches": launches, "peers": peers, "compiles": compiles}
