# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs chimera-opt on many inputs in one process, and says of each what came of it."""
import math
import os
import re
import resource
import signal
import subprocess
import tempfile
from bisect import bisect_right
from collections import namedtuple

MARKER = "// -----"

# kind: "success" (output: the IR), "error" (output: the first line that says it), or a fault: "crash", "hang", "silent"
# (status 1 without a line of error), "unclear" (an error line, and success all the same), "invalid" (what a pass gave does not
# verify).
# MLIR 19 uses memory that it has freed when it cleans up after a syntax error behind a value that was used before its
# definition: the error is told, no pass has run, and no function of the project is on the stack. Without a sanitizer the heap
# may be so damaged that there is no stack: the handler of the crash ends in the next allocation.
UPSTREAM_PARSER = ["MLIR's parser, after an error"]

Outcome = namedtuple("Outcome", "kind output")
Input = namedtuple("Input", "name text")

FAULTS = ("crash", "hang", "silent", "unclear", "invalid")

# A diagnostic of the part that begins in a line of the joined file.
OF_PART = re.compile(r"^within split at .*?:(\d+) offset .*?(?:error|Error): (.*)$")
# Of a stack, by LLVM's handler or a sanitizer: "#3 0x1234 name(...) file", " 3 lib 0x1234 name(...) + 5".
FRAME = re.compile(r"^\s*#?\d+\s+(?:\S+\s+)?(?:0x[0-9a-f]+)\s+(?:in )?([^()]*(?:\(anonymous namespace\)[^()]*)*)", re.M)
WORTH = re.compile(r"ERROR: |runtime error|Assertion|LLVM ERROR|terminate called")
ANY_ERROR = re.compile(r"(?:^|: )error: (.*)$")


class Opt:
    """One build of chimera-opt. slowness: how many times longer than a release build it may take."""

    def __init__(self, path, slowness=1, memory_gib=8):
        self.path, self.slowness, self.memory_gib = path, slowness, memory_gib
        self.processes = 0
        self.environment = dict(os.environ, LLVM_DISABLE_SYMBOLIZATION="1")

    @staticmethod
    def _limit(memory_gib, seconds):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        if memory_gib:
            resource.setrlimit(resource.RLIMIT_AS, (memory_gib << 30,) * 2)

    def _process(self, text, flags, seconds, environment=None):
        """(status, stdout, stderr); the status is None after `seconds` of the processor, or ten times that of the clock."""
        seconds = math.ceil(seconds)
        self.processes += 1
        with tempfile.NamedTemporaryFile(suffix=".mlir") as file:
            file.write(text)
            file.flush()
            command = [self.path, file.name, "--split-input-file", "--mlir-disable-threading", *flags]
            try:
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10 * seconds,
                                      env=environment or self.environment, check=False,
                                      preexec_fn=lambda: self._limit(self.memory_gib, seconds))
            except subprocess.TimeoutExpired:
                return None, b"", b""
            late = done.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
            return None if late else done.returncode, done.stdout, done.stderr

    def functions(self, entry, flags):
        """The innermost functions of the project, or else of MLIR, in the stack of a crash; the first lines of its message."""
        path = os.environ.get("LLVM_SYMBOLIZER_PATH", "/usr/lib/llvm-19/bin/llvm-symbolizer")
        environment = dict(os.environ, LLVM_SYMBOLIZER_PATH=path, ASAN_SYMBOLIZER_PATH=path)
        _, _, err = self._process(entry.text, flags, 120, environment)
        text = err.decode("utf-8", "replace")
        found = FRAME.findall(text)
        own = [name for name in found if "chimera" in name or "(anonymous" in name]
        if not own and not flags and errors_of(err):
            return UPSTREAM_PARSER, []
        return (own or found)[:4], [line for line in text.splitlines() if WORTH.search(line)][:4]

    def run(self, inputs, flags, seconds=10):
        """The outcome of each input, in order. An input alone may take `seconds`."""
        if not inputs:
            return []
        texts = [entry.text for entry in inputs]
        joined = f"\n{MARKER}\n".encode().join(texts)
        status, out, err = self._process(joined, flags, self.slowness * (seconds + 0.1 * (len(inputs) - 1)))
        if len(inputs) == 1:
            return [alone(status, out, err)]
        outcomes = together(texts, status, out, err)
        if outcomes is None:
            half = len(inputs) // 2
            return self.run(inputs[:half], flags, seconds) + self.run(inputs[half:], flags, seconds)
        return [outcome or self.run([entry], flags, seconds)[0] for entry, outcome in zip(inputs, outcomes)]


def errors_of(err):
    return [match.group(1) for match in map(ANY_ERROR.search, err.decode("utf-8", "replace").splitlines()) if match]


def alone(status, out, err):
    """The outcome of an input that had a process to itself."""
    errors = errors_of(err)
    if status is None:
        return Outcome("hang", "")
    if status not in (0, 1):
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"status {status}"
        return Outcome("crash", name + "\n" + err.decode("utf-8", "replace")[:4000])
    if status == 0:
        return Outcome("unclear", errors[0]) if errors else Outcome("success", out)
    return Outcome("error", errors[0]) if errors else Outcome("silent", "")


def together(texts, status, out, err):
    """The outcomes of inputs that shared a process, None where that does not tell; None if it tells of none."""
    outputs = out.split(f"{MARKER}\n".encode())
    if status not in (0, 1) or len(outputs) != len(texts):
        return None
    firsts = [1]
    for text in texts[:-1]:
        firsts.append(firsts[-1] + text.count(b"\n") + 2)
    # A part begins behind its marker, so in the line before its first.
    errors = {}
    for line in err.decode("utf-8", "replace").splitlines():
        match = OF_PART.match(line)
        if match:
            errors.setdefault(bisect_right(firsts, int(match.group(1)) + 1) - 1, match.group(2))
    outcomes = []
    for i, output in enumerate(outputs):
        if output.strip():
            outcomes.append(None if i in errors else Outcome("success", output))
        else:
            outcomes.append(Outcome("error", errors[i]) if i in errors else None)
    return outcomes


def command_of(entry, flags):
    return "chimera-opt " + entry.name + "".join(f' "{flag}"' if " " in flag else f" {flag}" for flag in flags)


class Faults:
    """Collects faults, prints each kind once, and keeps an input for it."""

    def __init__(self, folder, opt):
        self.folder, self.opt, self.found, self.upstream, self.seen = folder, opt, 0, 0, {}

    def add(self, entry, flags, outcome):
        frames, said = self.opt.functions(entry, flags) if outcome.kind == "crash" and self.found < 200 else ([], [])
        if frames is UPSTREAM_PARSER:
            self.upstream += 1
            return
        self.found += 1
        key = (outcome.kind, *(frames[:2] or [outcome.output[:60]]))
        self.seen[key] = self.seen.get(key, 0) + 1
        if self.seen[key] > 1:
            return
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, f"{outcome.kind}-{len(self.seen)}.mlir")
        with open(path, "wb") as file:
            file.write(entry.text)
        print(f"FAULT {outcome.kind}: {command_of(entry, flags)}\n  kept: {path}\n  " +
              "\n  ".join([outcome.output.splitlines()[0] if outcome.output else "", *said, *frames]), flush=True)

    def judge(self, entry, flags, outcome):
        if outcome.kind in FAULTS:
            self.add(entry, flags, outcome)

    def summary(self):
        for key, count in sorted(self.seen.items(), key=lambda item: -item[1]):
            print(f"{count} times {': '.join(key)}")
        if self.upstream:
            print(f"{self.upstream} times {UPSTREAM_PARSER[0]}: a fault of MLIR 19, not counted")
