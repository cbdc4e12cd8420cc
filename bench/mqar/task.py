# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Associative recall a second time, for the compiled models: sequences that chimera-train never made, and the arrays
that chimera-run reads and writes. The layout is docs/training.md's `mqar`."""

import array
import ast
import random
import struct
import sys
from dataclasses import dataclass

import works

FIRST_KEY = 2  # 0 and 1 are fillers and markers of other tasks


@dataclass(frozen=True)
class Sequence:
    """T tokens, the class of each position, and at questions {position: the value's token}."""

    tokens: list
    classes: list
    answers: dict


def sequence(size, source):
    """One sequence from a random.Random."""
    values = FIRST_KEY + works.KEYS
    fillers = values + works.KEYS
    tokens = [source.randrange(fillers, works.VOCABULARY) for _ in range(size.seq)]
    classes, answers = ["filler"] * size.seq, {}
    keys = source.sample(range(works.KEYS), size.pairs)
    bound = [source.randrange(works.KEYS) for _ in keys]
    for i, (key, value) in enumerate(zip(keys, bound)):
        tokens[2 * i:2 * i + 2] = [FIRST_KEY + key, values + value]
        classes[2 * i:2 * i + 2] = ["key", "value"]
    slots = source.sample(range((size.seq - 2 * size.pairs) // 2), size.queries)
    for slot, asked in zip(slots, source.sample(range(size.pairs), size.queries)):
        at = 2 * size.pairs + 2 * slot
        tokens[at], classes[at] = FIRST_KEY + keys[asked], "query"
        answers[at] = values + bound[asked]
    return Sequence(tokens, classes, answers)


def sequences(size, count, seed=20):
    """So many sequences, the same for every contender."""
    source = random.Random(seed)
    return [sequence(size, source) for _ in range(count)]


def write_tokens(path, found):
    """The sequences' tokens as int32 [B, T] in NumPy's format."""
    head = f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({len(found)}, {len(found[0].tokens)}), }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    numbers = array.array("i", [token for one in found for token in one.tokens])
    if sys.byteorder == "big":
        numbers.byteswap()
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + numbers.tobytes())


def read_array(path):
    """(shape, flat array) of an int8 or f32 file in NumPy's format, in C order. ValueError: anything else."""
    with open(path, "rb") as file:
        content = file.read()
    start = 10 + struct.unpack("<H", content[8:10])[0]
    head = ast.literal_eval(content[10:start].decode())
    kinds = {"|i1": "b", "<i1": "b", "<f4": "f"}
    if content[:8] != b"\x93NUMPY\x01\x00" or head["fortran_order"] or head["descr"] not in kinds:
        raise ValueError(f"{path}: not an array of int8 or f32 in C order")
    numbers = array.array(kinds[head["descr"]])
    numbers.frombytes(content[start:])
    if sys.byteorder == "big":
        numbers.byteswap()
    return head["shape"], numbers
