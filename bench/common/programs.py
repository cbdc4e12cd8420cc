# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs programs of the build."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile

import arrays

SPEED = re.compile(r"^(prefill|decode): \d+ tokens in [\d.]+ s, ([\d.]+) tokens/s$", re.MULTILINE)
MODES = ("ssm", "swa", "full", "identity")  # in the order of their numbers in routing


def caller(folder):
    """A function that runs a program of `folder`, given its words: (stdout, stderr). One that fails ends this one with
    its message."""
    def call(words):
        command = [os.path.join(folder, words[0])] + words[1:]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            sys.exit(f"error: cannot run '{command[0]}': {error.strerror}; --bin says where the programs are")
        if done.returncode:
            sys.exit(done.stderr.strip() or f"error: {command[0]} ended with status {done.returncode}")
        return done.stdout, done.stderr
    return call


@contextlib.contextmanager
def temporary_folder():
    """A folder that is gone afterwards, also when a signal ends this program, and with it the one that it waits for."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda *_: sys.exit("stopped"))
    with tempfile.TemporaryDirectory() as folder:
        yield folder


def with_threads(words, threads):
    """A command line with --threads, if there is a number of them."""
    return words + (["--threads", str(threads)] if threads else [])


def compile_model(call, folder):
    """model.chm in a trained model's folder. `call` runs a program of the build: (stdout, stderr)."""
    binary = os.path.join(folder, "model.chm")
    call(["chimera-compile", folder, "-o", binary])
    return binary


def run_model(call, binary, weights, folder, shape, ids):
    """A compiled model on the sequences `ids`, of that shape, by way of files in `folder`: (logits, vocabulary,
    routing, layers, what chimera-run --stats says). `call` runs a program of the build: (stdout, stderr)."""
    paths = {name: os.path.join(folder, f"{name}.npy") for name in ("tokens", "logits", "routing")}
    arrays.write_tokens(paths["tokens"], shape, ids)
    _, stderr = call(["chimera-run", binary, "--weights", weights, "--tokens", paths["tokens"], "--stats",
                      "--logits", paths["logits"], "--routing", paths["routing"]])
    (_, _, vocabulary), logits = arrays.read_array(paths["logits"])
    (_, _, layers), routing = arrays.read_array(paths["routing"])
    for name in ("logits", "routing"):
        os.remove(paths[name])
    return logits, vocabulary, routing, layers, stderr


def read_speeds(text):
    """{"prefill", "decode"}: tokens per second by `chimera-run --stats`, of what it did. ValueError: it says none."""
    found = {phase: float(speed) for phase, speed in SPEED.findall(text)}
    if not found:
        raise ValueError("chimera-run --stats printed no speed")
    return found
