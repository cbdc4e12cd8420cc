# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Texts whose bytes are tokens: what a model is trained on, what is held out of it, and how well the model predicts
that."""

import hashlib
import math
import subprocess
from dataclasses import dataclass

HELD_OUT = 20  # the last 1 / HELD_OUT of a text is held out
BIBLE = ["bible", "-f", "gen1:1-rev22:21"]


@dataclass(frozen=True)
class Text:
    """A text's two parts, as bytes."""

    train: bytes
    held_out: bytes

    def digest(self):
        return hashlib.sha256(self.train + self.held_out).hexdigest()[:16]


@dataclass(frozen=True)
class Window:
    """A sequence for a model: `tokens` are its bytes."""

    tokens: bytes


def king_james():
    """The King James Bible, a verse a line, without their numbers. ValueError: the program that has it is missing."""
    try:
        said = subprocess.run(BIBLE, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError as error:
        raise ValueError("there is no program 'bible': install Debian's packages bible-kjv and "
                         "bible-kjv-text") from error
    except subprocess.CalledProcessError as error:
        raise ValueError(f"{' '.join(BIBLE)} ended with status {error.returncode}") from error
    return "".join(line.split(" ", 1)[1] + "\n" for line in said.splitlines())


def read_text(path=None):
    """The text of a file, or the Bible. OSError, ValueError: it cannot be read."""
    if path is None:
        content = king_james().encode("ascii")
    else:
        with open(path, "rb") as file:
            content = file.read()
    cut = len(content) - len(content) // HELD_OUT
    return Text(content[:cut], content[cut:])


def windows(text, seq, most):
    """Windows of the held-out part, one after the other, at most so many. ValueError: there is not one."""
    count = min(most, len(text.held_out) // seq)
    if count < 1:
        raise ValueError(f"the text's last {len(text.held_out)} bytes, which are held out, are fewer than a context of "
                         f"{seq}: give one of at least {seq * HELD_OUT} bytes with --text")
    return [Window(text.held_out[i * seq:(i + 1) * seq]) for i in range(count)]


def nats(found, logits, vocabulary):
    """The sum of the cross entropies of each next byte inside its sequence; `logits` are those of the sequences'
    `tokens`, [B, T, vocabulary], flat."""
    total = at = 0
    for one in found:
        for target in one.tokens[1:]:
            row = logits[at:at + vocabulary]
            top = max(row)
            total += top + math.log(sum(math.exp(value - top) for value in row)) - row[target]
            at += vocabulary
        at += vocabulary  # of the last byte, after which nothing is known
    return total


def predicted(found):
    """The bytes that `nats` is about."""
    return sum(len(one.tokens) - 1 for one in found)


def bits_per_byte(total, count):
    """Of the sum of cross entropies in nats and the number of bytes."""
    return total / count / math.log(2)
