# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The cache of a compiled model, in bytes a sequence, from its manifest (docs/model-binary.md).

*Needed*: an entry of a list for each token that was routed to `full`, an entry of a ring for each of the window's W,
states, tails and counts. *Reserved* is what the runtime takes: lists by whole pages of 64 entries, and rings in which
the cpu target may have room for more than W."""

ELEMENT = {"f32": 4, "bf16": 2, "f64": 8}


def entry_bytes(manifest):
    """Of a list's entry: a key, a value, and the room for a write weight; 0 without lists."""
    pages = manifest["pages"]
    return pages["bytes"] / pages["entries"] if pages["bytes"] else 0


def ring_bytes(manifest, cache):
    """What the W entries of a ring need: its keys, values, maybe weights, and its count."""
    model = manifest["model"]
    row = model["num_key_value_heads"] * model["head_dim"] * ELEMENT[manifest["dtype"]]
    pools = [manifest["pools"][i] for i in cache["pools"]]
    weights = 4 if len(pools) == 4 else 0
    return model["window"] * (2 * row + weights) + pools[-1]["bytes_per_slot"]


def pool_bytes(manifest, cache):
    return sum(manifest["pools"][i]["bytes_per_slot"] for i in cache["pools"])


def needed(manifest, entries):
    """{"list", "ring", "state", "total"}: bytes a sequence whose lists hold so many entries, summed over layers.
    "state" is all that is constant but the rings."""
    parts = {"list": entries * entry_bytes(manifest), "ring": 0, "state": 0}
    for cache in manifest["caches"]:
        if cache["kind"] == "ring":
            parts["ring"] += ring_bytes(manifest, cache)
        else:
            parts["state"] += pool_bytes(manifest, cache)
    parts["total"] = sum(parts.values())
    return parts


def read_stats(text):
    """{mode: (reserved, in use)} of `chimera-run --stats`, "total" among them. ValueError without that table."""
    lines = text.splitlines()
    heads = [i for i, line in enumerate(lines) if line.split() == ["cache", "bytes", "reserved", "in", "use"]]
    if not heads:
        raise ValueError("chimera-run --stats printed no cache bytes")
    found = {}
    for line in lines[heads[0] + 1:]:
        words = line.split()
        if len(words) != 3 or not (words[1].isdigit() and words[2].isdigit()):
            break
        found[words[0]] = (int(words[1]), int(words[2]))
    return found


def expected_use(manifest, cache, tokens):
    """(reserved, in use) of a sequence of which so many tokens were admitted to the cache's mode."""
    fixed, pages = pool_bytes(manifest, cache), manifest["pages"]
    if cache["kind"] == "list":
        return (fixed + pages["bytes"] * -(-tokens // pages["entries"]), fixed + tokens * entry_bytes(manifest))
    if cache["kind"] == "ring":
        count = manifest["pools"][cache["pools"][-1]]["bytes_per_slot"]
        window = manifest["model"]["window"]
        return fixed, count + (ring_bytes(manifest, cache) - count) / window * min(tokens, window)
    return fixed, fixed


def check(manifest, stats, taken):
    """Holds what the runtime counted (`read_stats`) against manifest and routing, entry by entry: `taken` has for each
    sequence and layer how many tokens were admitted to each mode, by name. ValueError: they differ."""
    for mode in {cache["mode"] for cache in manifest["caches"]}:
        uses = [expected_use(manifest, cache, layers[cache["layer"]].get(mode, 0))
                for cache in manifest["caches"] if cache["mode"] == mode for layers in taken]
        reserved, used = (sum(values) for values in zip(*uses))
        if stats[mode] != (reserved, used):
            raise ValueError(f"the caches of {mode} are {stats[mode][0]} and {stats[mode][1]} bytes by chimera-run "
                             f"--stats, but {reserved} and {used:.0f} by manifest and routing")
