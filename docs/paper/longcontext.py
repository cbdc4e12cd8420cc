# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tables, plots and numbers of the comparison at long contexts (bench/headline). Every seed and every contender
that the results have is shown; they grow with the results."""

from statistics import median

import outcomes
from latex import (NAMES, addplot, changes, counted, escaped, legend, listed, percent, plain, signed, style, table,
                   whole)
from tables import CONTEXT, share

FAR = 32768
ROUTED = "chimera"


def contexts(results):
    return results.contexts("recall", CONTEXT)


def recall_table(results):
    """A row per contender and seed, a column per context: percent of right answers."""
    found = contexts(results)
    lengths = {}
    for one in found:
        lengths[one["seq"]] = lengths.get(one["seq"], 0) + 1
    ends = [2 + sum(list(lengths.values())[:i + 1]) for i in range(len(lengths))]
    above = ["", r"$T$"] + [rf"\multicolumn{{{count}}}{{c}}{{{whole(seq)}}}" for seq, count in lengths.items()]
    head = ["model", "seed"] + [str(one["pairs"]) for one in found]
    rows = []
    for entry in results.of("training"):
        asked = [results.of("recall", contender=entry["contender"], seed=entry["seed"], **one) for one in found]
        rows.append([NAMES[entry["contender"]], str(entry["seed"])] +
                    [percent(100 * share(one[0])) if one else "--" for one in asked])
    return table("ll" + "r" * len(found), [above, head], rows, changes(rows),
                 [(end - count + 1, end) for end, count in zip(ends, lengths.values())])


def reserved(results, contender, context, part=0):
    """Median bytes of keys and values of a sequence: reserved, or with part 1 in use. None: not measured."""
    found = [outcomes.kv(one)[part] for one in results.of("recall", contender=contender, **context)]
    return median(found) if found else None


def memory_table(results):
    """A row per context: by how many points the routed model's share of right answers differs from dense's of the same
    seed; then a column per contender, KiB of keys and values reserved and, where it is less, in use."""
    names, rows = results.contenders("recall"), []
    for context in contexts(results):
        found = differences(results, context)
        row = [whole(context["seq"]), str(context["pairs"]), str(len(found)),
               between(found, signed) if found else "--"]
        for name in names:
            kept = [reserved(results, name, context, part) for part in (0, 1)]
            row.append("--" if kept[0] is None else whole(kept[0] / 1024) +
                       (f" ({whole(kept[1] / 1024)})" if kept[1] < kept[0] else ""))
        ratio = kv_ratio(results, context)
        rows.append(row + [f"{ratio:.1f}" if ratio else "--"])
    head = [r"$T$", "pairs", "seeds", "routed $-$ dense"] + [NAMES[name] for name in names] + ["dense / routed"]
    return table("rrrr" + "r" * (len(names) + 1), head, rows, changes(rows))


def kv_ratio(results, context):
    dense, routed = (reserved(results, name, context) for name in ("dense", ROUTED))
    return dense / routed if dense and routed else None


def between(values, write):
    """From the least to the greatest; one number where they are written alike."""
    least, most = write(min(values)), write(max(values))
    return least if least == most else f"{least} to {most}"


def interval(values, write):
    """The median, and in brackets from the least to the greatest."""
    least, most = write(min(values)), write(max(values))
    return write(median(values)) + (f" ({least}--{most})" if least != most else "")


def speed_contexts(results):
    return results.contexts("speed", {**CONTEXT, "batch": "batch"})


def speed_table(results):
    """A row per context, batch and contender other than dense: tokens per second of dense and of it, and the ratio
    within a round."""
    rows = []
    for context in speed_contexts(results):
        dense = results.of("speed", contender="dense", **context)
        for entry in results.of("speed", **context) if dense else []:
            if entry["contender"] == "dense":
                continue
            row = [*map(whole, context.values()), NAMES[entry["contender"]]]
            for phase in ("prefill", "decode"):
                row += [whole(median(one[phase] for one in of["rounds"])) for of in (dense[0], entry)]
                row.append(interval(results.ratios(entry, phase, **context), "{:.1f}".format))
            rows.append(row)
    above = [""] * 4 + [r"\multicolumn{3}{c}{prefill}", r"\multicolumn{3}{c}{decode}"]
    head = [r"$T$", "pairs", "batch", "model"] + ["dense", "model", "ratio"] * 2
    return table("rrrlrrrrrr", [above, head], rows, changes(rows), under=((5, 7), (8, 10)))


def memory_plot(results):
    """Bytes reserved for keys and values against the length, for the fewest and the most pairs of each contender."""
    out, pairs = "", [one["pairs"] for one in contexts(results)]
    for name in results.contenders("recall"):
        for number, line in ((min(pairs), "solid"), (max(pairs), "densely dashed")):
            points = [(one["seq"], reserved(results, name, one) / 1024) for one in contexts(results)
                      if one["pairs"] == number and reserved(results, name, one)]
            out += addplot(f"{style(name)}, {line}, mark options={{solid}}", points) if points else ""
    return out


def speed_plot(results):
    """Decode speed against the length, with the fewest pairs, of each batch: medians, bars to least and greatest."""
    found = speed_contexts(results)
    pairs = min((one["pairs"] for one in found), default=0)
    batches, out = sorted({one["batch"] for one in found}), ""
    for name in results.contenders("speed"):
        for batch, line in zip(batches, ("solid", "densely dashed", "dotted")):
            points = []
            for entry in results.of("speed", contender=name, pairs=pairs, batch=batch):
                speeds = [one["decode"] for one in entry["rounds"]]
                middle = median(speeds)
                points.append((entry["seq"], middle, middle - min(speeds), max(speeds) - middle))
            out += addplot(f"{style(name)}, {line}, mark options={{solid}}, bars", sorted(points)) if points else ""
    return out


def recall_plot(results):
    """A mark per seed: right answers against the length, with the most pairs asked at that length."""
    most, out = {}, ""
    for one in contexts(results):
        most[one["seq"]] = max(one["pairs"], most.get(one["seq"], 0))
    for name in results.contenders("recall"):
        points = [(seq, 100 * share(entry)) for seq, pairs in most.items()
                  for entry in results.of("recall", contender=name, seq=seq, pairs=pairs)]
        out += addplot(f"{style(name)}, only marks, fill opacity=.55", points) if points else ""
    return out


def plot_legend(results):
    return legend([(style(name), NAMES[name]) for name in results.contenders("recall")])


def differences(results, context):
    """Of each seed that both were asked with: the routed share of right answers less dense's, in points."""
    dense = {one["seed"]: share(one) for one in results.of("recall", contender="dense", **context)}
    return [100 * (share(one) - dense[one["seed"]])
            for one in results.of("recall", contender=ROUTED, **context) if one["seed"] in dense]


def thousands(value):
    """32768 as 32K."""
    return f"{value // 1024}K" if value >= 1024 else str(value)


def both_seeds(results, seq):
    """How many seeds have the routed and the dense model asked everything that is asked at a length."""
    of = [{name: {one["seed"] for one in results.of("recall", contender=name, **context)} for name in ("dense", ROUTED)}
          for context in contexts(results) if context["seq"] == seq]
    return len(set.intersection(*(seeds for one in of for seeds in one.values()))) if of else 0


def lengths(results):
    return sorted({one["seq"] for one in contexts(results)})


def far_speed(results, phase, pairs, batch):
    """The ratios of routed to dense, a round each."""
    context = {"seq": FAR, "pairs": pairs, "batch": batch}
    return results.ratios(results.of("speed", contender=ROUTED, **context)[0], phase, **context)


def numbers(results):
    """Macros: what the prose says of these results."""
    far = [one for one in contexts(results) if one["seq"] == FAR]
    few, many = far[0]["pairs"], far[-1]["pairs"]
    machine = results.data["machine"]
    out = {"LongMachine": f"{escaped(machine['cpu'])} ({machine['cores']} cores)",
           "LongTo": max(entry["date"] for entry in results.entries)[:10], "LongFar": whole(FAR),
           "LongTicks": ",".join(map(str, lengths(results))),
           "LongTickLabels": ",".join(map(thousands, lengths(results))), "LongFew": str(few), "LongMany": str(many),
           "LongSeedsDense": counted(len(results.of("training", contender="dense")), "seed"),
           "LongSeedsRouted": counted(len(results.of("training", contender=ROUTED)), "seed"),
           "LongSeedsFar": counted(both_seeds(results, FAR), "seed"),
           "LongContenders": listed(NAMES[name] for name in results.contenders("training")),
           "LongParametersDense": whole(results.of("training", contender="dense")[0]["parameters"]),
           "LongParametersRouted": whole(results.of("training", contender=ROUTED)[0]["parameters"]),
           "LongRounds": between([len(one["rounds"]) for one in results.of("speed")], str)}
    entries = [outcomes.listed(one) / one["pairs"] for one in results.of("recall", contender=ROUTED)]
    found = [one for context in far for one in differences(results, context)]
    asked = min(one["asked"] for context in far for one in results.of("recall", **context))
    out |= {"LongEntries": between(entries, plain), "LongQuestion": f"{100 / asked:.2f}",
            "LongFarLeast": signed(min(found)), "LongFarMost": signed(max(found)),
            "LongFarthest": whole(lengths(results)[-1]),
            "LongSeedsFarthest": counted(both_seeds(results, lengths(results)[-1]), "seed")}
    for context, name in ((far[0], "Few"), (far[-1], "Many")):
        out[f"LongKv{name}"] = f"{kv_ratio(results, context):.0f}"
        out[f"LongKvRouted{name}"] = whole(reserved(results, ROUTED, context) / 1024)
        for phase in ("prefill", "decode"):
            ratios = far_speed(results, phase, context["pairs"], 1)
            out[f"Long{phase.title()}{name}"] = interval(ratios, "{:.1f}".format)
        out[f"LongDecode{name}Median"] = f"{median(ratios):.0f}"
    return out | {"LongKvDense": whole(reserved(results, "dense", far[0]) / 1024),
                  "LongKvInUse": whole(reserved(results, ROUTED, far[0], 1) / 1024)}


def claims(results):
    """(what the prose says without a number, whether the results bear it out)."""
    far = [one for one in contexts(results) if one["seq"] == FAR]
    speeds = [ratio for one in speed_contexts(results) if one["seq"] == FAR
              for ratio in far_speed(results, "decode", one["pairs"], one["batch"])]
    return [("the routed model reserves at most a third of dense's keys and values at 32768 tokens",
             all(kv_ratio(results, one) >= 3 for one in far)),
            ("it decodes at least 1.8 times as fast there in every round", min(speeds) >= 1.8),
            ("dense lists every token in every layer", all(set(one["entries_by_layer"]) == {one["seq"]} for one in
                                                           results.of("recall", contender="dense"))),
            ("at the shortest length its ring and pages take more room than dense's lists",
             kv_ratio(results, contexts(results)[0]) < 1),
            ("the models were trained at the shortest length that is asked",
             all(one["settings"]["seq"] == lengths(results)[0] for one in results.of("training")))]
