# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Facts hidden in a text: sequences to train on, and haystacks to be asked about.

A fact is a sentence between two words of the text, `The secret of Bamoti: 4821.`, with a name that was made up and
digits by chance, so that neither can be known but from the fact. A question is the same sentence again: the model has
to say its digits."""

import random
from dataclasses import dataclass

CONSONANTS, VOWELS = "bdfghklmnprstvz", "aeiou"
SYLLABLES, DIGITS = 3, 4
SENTENCE = "The secret of {name}: {value}. "
LENGTH = len(SENTENCE.format(name="", value="")) + 2 * SYLLABLES + DIGITS  # of a fact, in bytes


@dataclass(frozen=True)
class Fact:
    name: str
    value: str

    def sentence(self):
        return SENTENCE.format(name=self.name, value=self.value).encode("ascii")


@dataclass(frozen=True)
class Question:
    """Where its answer begins, the answer, and how deep its fact is: 0 at the beginning, 1 before the questions."""

    at: int
    answer: bytes
    depth: float


@dataclass(frozen=True)
class Haystack:
    """A sequence for a model: `tokens` are its bytes."""

    tokens: bytes
    questions: tuple


def facts(count, source):
    """So many, with different names, from a random.Random."""
    names = {}
    while len(names) < count:
        word = "".join(source.choice(CONSONANTS) + source.choice(VOWELS) for _ in range(SYLLABLES))
        names[word.capitalize()] = "".join(source.choice("0123456789") for _ in range(DIGITS))
    return [Fact(name, value) for name, value in names.items()]


def word_start(text, place):
    """The last place, in bytes, up to that one at which a word of the text begins."""
    return max(text.rfind(b" ", 0, place), text.rfind(b"\n", 0, place)) + 1


def excerpt(text, length, source):
    """Words of the text, so many bytes; the last may be a part of one. ValueError: it has fewer."""
    if length > len(text):
        raise ValueError(f"a sequence needs {length} bytes of text, and there are {len(text)}: give a longer text with "
                         "--text")
    start = word_start(text, source.randrange(len(text) - length + 1))
    return text[start:start + length - 1] + b" "


def hide(text, pieces):
    """The text with each piece, (place in bytes, sentence), put in where the word there begins; those of one place in
    the order of `pieces`."""
    out, done = [], 0
    for place, sentence in sorted(((word_start(text, place), sentence) for place, sentence in pieces),
                                  key=lambda one: one[0]):
        out += [text[done:place], sentence]
        done = place
    return b"".join(out) + text[done:]


def training_row(text, length, count, source):
    """So many bytes to train on: text, facts, and a question about each somewhere after it, half of them at the end."""
    chunk = excerpt(text, length - 2 * count * LENGTH, source)
    asserted, asked = [], []
    for fact in facts(count, source):
        first, second = sorted(source.randrange(len(chunk) + 1) for _ in range(2))
        asserted.append((first, fact.sentence()))
        asked.append((second if source.random() < 0.5 else len(chunk), fact.sentence()))
    source.shuffle(asked)
    return hide(chunk, asserted + asked)


def haystack(text, length, depths, source):
    """A text so long with a fact at each of these depths, and at its end a question about each, in any order."""
    found = facts(len(depths), source)
    asked = source.sample(range(len(found)), len(found))
    tail = b"".join(found[i].sentence() for i in asked)
    chunk = excerpt(text, length - 2 * len(tail), source)
    head = hide(chunk, [(round(depth * len(chunk)), fact.sentence()) for depth, fact in zip(depths, found)])
    places = [len(head) + LENGTH * i + LENGTH - len(". ") - DIGITS for i in range(len(asked))]
    return Haystack(head + tail, tuple(Question(place, found[i].value.encode("ascii"), depths[i])
                                   for place, i in zip(places, asked)))


def haystacks(text, length, depths, count, per_haystack, seed=20):
    """Haystacks, the same for every contender, that ask `count` times at each depth, with so many facts each. The
    depths of one haystack are different, and go round."""
    source = random.Random(seed)
    total = count * len(depths)
    return [haystack(text, length, [depths[i % len(depths)] for i in range(first, min(first + per_haystack, total))],
                     source) for first in range(0, total, per_haystack)]


def answered(one, logits, start, vocabulary):
    """[(depth, whether every digit has the highest logit)] of a haystack whose logits begin there, flat."""
    found = []
    for question in one.questions:
        rows = [start + (question.at - 1 + i) * vocabulary for i in range(len(question.answer))]
        said = [max(range(vocabulary), key=logits[row:row + vocabulary].__getitem__) for row in rows]
        found.append((question.depth, bytes(said) == question.answer))
    return found
