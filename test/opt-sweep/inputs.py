# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is swept over: the valid parts of the text tests, models in several forms, and the passes."""
import glob
import os
import re
import shlex
import subprocess

from runner import Input, MARKER

PASS = re.compile(r'Pass<"(chimera-[\w-]+)"')
PIPELINE = re.compile(r'PassPipelineRegistration<\w+>\(\s*"(chimera-[\w-]+)"')
FLAG = re.compile(r'--chimera-[\w-]+(?:=(?:"[^"]*"|\S+))?')
# What pipelines put between the passes of the project, and what a user may.
UPSTREAM = ["--canonicalize", "--cse", "--inline", "--symbol-dce"]
MOST_BYTES = 400_000
LEVELS = ["chimera", "dispatched", "fused"]
# The ends of compilations, behind a pipeline to the dispatched level.
LOWERINGS = [["--chimera-lower-to-ref"]] + [[f"--chimera-lower-to-cpu=isa={isa}{weights}"]
             for isa in ("avx2", "avx512", "avx512-bf16", "amx-bf16") for weights in ("", " weights=int8")]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def test_parts(source):
    """Each part of each file of test/dialect and test/passes, in order."""
    parts = []
    for folder in ("dialect", "passes"):
        for path in sorted(glob.glob(os.path.join(source, "test", folder, "*.mlir"))):
            line = 1
            for text in read(path).split(MARKER.encode()):
                parts.append(Input(f"{os.path.relpath(path, source)}:{line}", text.strip(b"\n") + b"\n"))
                line += text.count(b"\n")
    return parts


def configs(source, many):
    """Models: the small ones of the tests, and with `many` also those of examples and benchmarks."""
    found = glob.glob(os.path.join(source, "test", "passes", "Inputs", "*.json"))
    if many:
        found += glob.glob(os.path.join(source, "examples", "*", "config.json"))
        found += glob.glob(os.path.join(source, "bench", "*", "*.json"))
    return sorted(found)


def models(compiler, source, many):
    """The forms in which chimera-compile prints models."""
    forms = [["--emit=" + level, *options] for level in LEVELS
             for options in (["--mcpu=avx2"], ["--mcpu=avx512-bf16", "--dtype=bf16"], ["--target=ref", "--dtype=f64"],
                             ["--mcpu=avx2", "--phases=train"])]
    made = []
    for config in configs(source, many):
        for form in forms:
            command = [compiler, config, *form, "-o", "-"]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False)
            # The kernels of a large model say nothing that those of a small one do not.
            if done.returncode == 0 and len(done.stdout) < MOST_BYTES:
                made.append(Input(f"{os.path.relpath(config, source)} {' '.join(form)}", done.stdout))
    return list({entry.text: entry for entry in made}.values())


def lots(entries, size=100, most_bytes=600_000):
    """The inputs in lots of bounded size."""
    lot, length = [], 0
    for entry in entries:
        if lot and (len(lot) == size or length + len(entry.text) > most_bytes):
            yield lot
            lot, length = [], 0
        lot.append(entry)
        length += len(entry.text)
    if lot:
        yield lot


def valid(opt, entries):
    """Those that parse and verify, as chimera-opt prints them; their comments are gone."""
    found = {}
    for some in lots(entries):
        for entry, outcome in zip(some, opt.run(some, [])):
            if outcome.kind == "success":
                found.setdefault(outcome.output, Input(entry.name, outcome.output.strip(b"\n") + b"\n"))
    return list(found.values())


def pass_names(source):
    return PASS.findall(read(os.path.join(source, "passes", "Passes.td")).decode())


def pipeline_names(source):
    return PIPELINE.findall(read(os.path.join(source, "passes", "Pipelines.cpp")).decode())


def flags_of_tests(source):
    """Every pass with the options that tests give it."""
    flags = set()
    for path in glob.glob(os.path.join(source, "test", "**", "*.mlir"), recursive=True):
        for line in read(path).decode("utf-8", "replace").splitlines():
            if "RUN:" in line:
                flags.update(flag for text in FLAG.findall(line) for flag in shlex.split(text))
    return sorted(flags)


def single_runs(source):
    """Each pass and pipeline alone: with its defaults, and as tests run it."""
    names = ["--" + name for name in pass_names(source) + pipeline_names(source)]
    with_options = [flag for flag in flags_of_tests(source) if flag not in names]
    isas = [flags[0] for flags in LOWERINGS[1:] if flags[0] not in with_options]
    return [[flag] for flag in names + with_options + isas + UPSTREAM]


def pair_runs(source):
    """Every ordered pair of passes, so also each twice in a row."""
    names = ["--" + name for name in pass_names(source)] + UPSTREAM
    return [[first, second] for first in names for second in names]


def compilation_runs():
    """The real pipelines to their ends, from the model and from the middle."""
    ends = [lowering + end for lowering in LOWERINGS for end in ([], ["--chimera-plan-arena"])]
    begins = [[], ["--chimera-to-dispatched"], ["--chimera-to-fused"], ["--chimera-to-training"],
              ["--chimera-to-training", "--chimera-rematerialize=memory-limit=100000"],
              ["--chimera-specialize-training=keep-model", "--chimera-to-dispatched"],
              ["--chimera-differentiate", "--chimera-rematerialize=memory-limit=10000"]]
    return [begin + end for begin in begins for end in ends]
