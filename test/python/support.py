# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of the Python package share: small models, made once, and the programs.

`python3 support.py` makes the models in BUILD/python-test; CHIMERA_TEST_BUILD and CHIMERA_TEST_SOURCE name the folders
of build and sources.
"""
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np

BUILD = pathlib.Path(os.environ["CHIMERA_TEST_BUILD"])
SOURCE = pathlib.Path(os.environ["CHIMERA_TEST_SOURCE"])
FOLDER = BUILD / "python-test"
LONG = bool(os.environ.get("CHIMERA_LONG"))

CONFIG = {"model_type": "chimera", "vocab_size": 256, "hidden_size": 32, "num_hidden_layers": 2,
          "intermediate_size": 48, "num_attention_heads": 2, "head_dim": 16, "window": 8,
          "ssm": {"state_size": 8, "head_dim": 16}}
TEXT = "In the beginning was the word, and all that was said after it was said in words.\n" * 30
STEP = ["--max-tokens=16", "--max-seqs=2"]  # So small that the runtime cuts the tests' steps.


def run(*command, **options):
    """The standard output, as bytes, of a command that must succeed."""
    result = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    if result.returncode:
        raise AssertionError(f"{command}: status {result.returncode}: {result.stderr.decode('utf-8', 'replace')}")
    return result.stdout


def tool(name, *arguments, **options):
    return run(BUILD / "bin" / f"chimera-{name}", *arguments, **options)


def binary(name):
    return FOLDER / name / "model.chm"


def _make(name, options, seed, **config):
    folder = FOLDER / name
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    tool("init", folder, "-o", folder / "model.safetensors", "--seed", seed)
    tool("compile", folder, "-o", folder / "model.chm", *options)
    return folder


def make_models():
    """Models over bytes in f32, f64 and, by the cpu target, bf16; one with a chat template and end tokens."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    _make("f32", ["--target=ref", *STEP], 3)
    _make("other", ["--target=ref", *STEP], 4)
    _make("f64", ["--target=ref", "--dtype=f64", *STEP], 3, bos_token_id=7)
    if has_avx2():
        _make("bf16", ["--dtype=bf16", *STEP], 5)
    (FOLDER / "text.txt").write_text(TEXT)
    tool("train-tokenizer", FOLDER / "text.txt", "--out", FOLDER / "tokenizer", "--vocab-size", "300", "--chat")
    chat = _make("chat", ["--target=ref", *STEP], 6, vocab_size=320, eos_token_id=[0])
    for file in (FOLDER / "tokenizer").iterdir():
        shutil.copy(file, chat)


@functools.lru_cache(maxsize=None)
def has_avx2():
    return " avx2 " in pathlib.Path("/proc/cpuinfo").read_text()


def tokens(count, seed, vocabulary=256):
    """Random ids, int32 [count]."""
    return np.random.default_rng(seed).integers(0, vocabulary, count, dtype=np.int32)


def evaluate(name, ids, folder):
    """Logits [tokens, vocab] and routing [tokens, layers] of chimera-run."""
    np.save(folder / "ids.npy", ids)
    tool("run", binary(name), "--weights", FOLDER / name, "--tokens", folder / "ids.npy", "--logits",
         folder / "logits.npy", "--routing", folder / "routing.npy")
    return np.load(folder / "logits.npy")[0], np.load(folder / "routing.npy")[0]


if __name__ == "__main__":
    make_models()
    sys.exit(0)
