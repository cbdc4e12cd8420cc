# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small changes of IR as text: most are still read, and many verify."""
import re

NUMBER = re.compile(rb"(?<![\w%@.#^-])-?\d+(?![\w.])")
SIZE = re.compile(rb"(?<=[<x])(?:\d+|\?)(?=x)")
ATTRIBUTE = re.compile(rb"(?<=[{,<] )?\b[\w.]+ = (?:array<[^>]*>|#chimera\.\w+<[^<>]*>|\"[^\"]*\"|[\w.+-]+(?: : \w+)?)(?:, )?")
TYPE = re.compile(rb"tensor<[^<>]*>|!chimera\.\w+(?:<[^<>]*>)?|\b(?:f64|f32|bf16|i64|i32|i8)\b")
VALUE = re.compile(rb"%[\w]+(?:#\d+)?")
OPERATION = re.compile(rb"\bchimera\.\w+\b")
SYMBOL = re.compile(rb"@\w+")
STEP = re.compile(rb'"(?:rows|outputs|tokens|forced|leaves|hyper|prices|noise|targets)"')

NUMBERS = [b"0", b"-1", b"1", b"2", b"3", b"7", b"64", b"4096", b"65537", b"4294967296", b"1125899906842624",
           b"4611686018427387904", b"9223372036854775807", b"-9223372036854775808"]
SIZES = [b"0", b"1", b"3", b"?", b"65537", b"4294967296", b"9223372036854775807"]
TYPES = [b"tensor<*xf32>", b"tensor<f32>", b"tensor<?xf32>", b"tensor<?x?xf32>", b"tensor<0x0xf32>", b"tensor<?x8xf16>",
         b"tensor<?x8xi1>", b"tensor<4x8xf32>", b"tensor<?x8xcomplex<f32>>", b"tensor<?x8x!chimera.rows>", b"vector<4xf32>",
         b"memref<?x8xf32>", b"index", b"none", b"i128", b"tuple<>", b"!chimera.rows", b"!chimera.packed",
         b"!chimera.counts<modes = 2>", b"tensor<?x8xf32, 1 : i32>"]


def replace(text, match, new):
    return text[:match.start()] + new + text[match.end():]


class Mutator:
    """Draws mutations by `rng`; the corpus gives types and operations to exchange for."""

    def __init__(self, rng, corpus):
        self.rng = rng
        self.types = sorted({t for text in corpus for t in TYPE.findall(text)}) + TYPES
        self.operations = sorted({o for text in corpus for o in OPERATION.findall(text)})
        # Those that most often leave IR valid come twice.
        self.kinds = 2 * [self.number, self.size_everywhere, self.element_everywhere, self.operand] + [
            self.number_everywhere, self.attribute_away, self.attribute_swapped, self.type, self.type_everywhere,
            self.operand_swapped, self.operation, self.line_away, self.line_twice, self.lines_swapped, self.step, self.symbol,
            self.body_away, self.nested, self.twice, self.block, self.bytes]

    def pick(self, pattern, text):
        found = list(pattern.finditer(text))
        return self.rng.choice(found) if found else None

    def mutate(self, text):
        for _ in range(self.rng.choice((1, 1, 1, 2, 3))):
            text = self.rng.choice(self.kinds)(text)
        return text

    def one(self, pattern, text, pool):
        match = self.pick(pattern, text)
        return replace(text, match, self.rng.choice(pool)) if match else text

    def everywhere(self, pattern, text, pool):
        match = self.pick(pattern, text)
        if not match:
            return text
        old, new = match.group(), self.rng.choice(pool)
        return pattern.sub(lambda m: new if m.group() == old else m.group(), text)

    def number(self, text):
        return self.one(NUMBER, text, NUMBERS)

    def number_everywhere(self, text):
        return self.everywhere(NUMBER, text, NUMBERS)

    def size_everywhere(self, text):
        return self.everywhere(SIZE, text, SIZES)

    def type(self, text):
        return self.one(TYPE, text, self.types)

    def type_everywhere(self, text):
        return self.everywhere(TYPE, text, self.types)

    def element_everywhere(self, text):
        old, new = self.rng.sample([b"f32", b"f64", b"bf16", b"i32", b"i8", b"f16", b"index"], 2)
        return re.sub(rb"(?<=x)" + old + rb"\b", new, text)

    def attribute_away(self, text):
        return self.one(ATTRIBUTE, text, [b""])

    def attribute_swapped(self, text):
        one, other = self.pick(ATTRIBUTE, text), self.pick(ATTRIBUTE, text)
        if not one or one.start() == other.start():
            return text
        value = other.group().partition(b" = ")[2]
        return replace(text, one, one.group().partition(b" = ")[0] + b" = " + value)

    def operand(self, text):
        one, other = self.pick(VALUE, text), self.pick(VALUE, text)
        return replace(text, one, other.group()) if one else text

    def operand_swapped(self, text):
        one, other = self.pick(VALUE, text), self.pick(VALUE, text)
        if not one:
            return text
        a, b = one.group(), other.group()
        return VALUE.sub(lambda m: b if m.group() == a else a if m.group() == b else m.group(), text)

    def operation(self, text):
        return self.one(OPERATION, text, self.operations)

    def symbol(self, text):
        return self.one(SYMBOL, text, [b"@model", b"@prefill", b"@kernels", b"@train_hard", b"@x"])

    def step(self, text):
        return self.one(STEP, text, [b'"rows"', b'"outputs"', b'"forced"', b'"leaves"', b'"x"', b'""', b"1 : i64"])

    def lines(self, text, change):
        lines = text.split(b"\n")
        change(lines)
        return b"\n".join(lines)

    def line_away(self, text):
        return self.lines(text, lambda lines: lines.pop(self.rng.randrange(len(lines))))

    def line_twice(self, text):
        def change(lines):
            at = self.rng.randrange(len(lines))
            lines.insert(at, lines[at])
        return self.lines(text, change)

    def lines_swapped(self, text):
        def change(lines):
            i, j = (self.rng.randrange(len(lines)) for _ in range(2))
            lines[i], lines[j] = lines[j], lines[i]
        return self.lines(text, change)

    def body_away(self, text):
        """A function becomes a declaration."""
        found = list(re.finditer(rb"func\.func (@\w+\([^\n]*) \{\n.*?\n  \}", text, re.S))
        if not found:
            return text
        match = self.rng.choice(found)
        head = re.sub(rb"%\w+: ", b"", match.group(1))
        return replace(text, match, b"func.func private " + head)

    def nested(self, text):
        return b"module {\n" + text + b"\n}\n"

    def twice(self, text):
        return b"module @a {\n" + text + b"\n}\nmodule @b {\n" + text + b"\n}\n"

    def block(self, text):
        """A function gets a second block."""
        return re.sub(rb"\n    (return\b[^\n]*)", rb"\n    cf.br ^bb77\n  ^bb77:\n    \1", text, count=1)

    def bytes(self, text):
        at, change = self.rng.randrange(len(text)), self.rng.randrange(3)
        byte = bytes([self.rng.randrange(256)])
        return text[:at] + (b"" if change == 0 else byte) + text[at + (change != 1):]
