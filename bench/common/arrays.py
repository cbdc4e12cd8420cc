# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays in NumPy's format, as the tools read and write them, without NumPy."""

import array
import ast
import struct
import sys

MAGIC = b"\x93NUMPY\x01\x00"


def write_header(file, kind, shape):
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    file.write(MAGIC + struct.pack("<H", len(head)) + head.encode())


def write_tokens(path, shape, ids):
    """The ids, row by row, as int32 of that shape."""
    numbers = array.array("i", ids)
    if sys.byteorder == "big":
        numbers.byteswap()
    with open(path, "wb") as file:
        write_header(file, "<i4", shape)
        file.write(numbers.tobytes())


def write_bytes(path, shape, content):
    """The bytes, row by row, as uint8 of that shape."""
    with open(path, "wb") as file:
        write_header(file, "|u1", shape)
        file.write(content)


def shape_and_ids(found):
    """([B, T], the ids) of sequences of one length, which have `tokens`."""
    return (len(found), len(found[0].tokens)), [token for one in found for token in one.tokens]


def write_sequences(path, found):
    """Such sequences as a file."""
    write_tokens(path, *shape_and_ids(found))


def read_array(path):
    """(shape, flat array) of an int8 or f32 file in C order. ValueError: anything else."""
    with open(path, "rb") as file:
        content = file.read()
    start = 10 + struct.unpack("<H", content[8:10])[0]
    head = ast.literal_eval(content[10:start].decode())
    kinds = {"|i1": "b", "<i1": "b", "<f4": "f"}
    if content[:8] != MAGIC or head["fortran_order"] or head["descr"] not in kinds:
        raise ValueError(f"{path}: not an array of int8 or f32 in C order")
    numbers = array.array(kinds[head["descr"]])
    numbers.frombytes(content[start:])
    if sys.byteorder == "big":
        numbers.byteswap()
    return head["shape"], numbers
