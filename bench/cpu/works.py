# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is measured: models, and for each row of the table the runs of chimera-bench that it takes."""

from dataclasses import dataclass, field

FRACTIONS = "ssm=.6,swa=.2,full=.1,identity=.1"


@dataclass(frozen=True)
class Model:
    """A configuration of this folder and how it is compiled."""

    config: str  # dense or routed
    dtype: str  # f32 or bf16
    weights: str = "same"  # or int8, int4
    mcpu: str = "native"
    target: str = "cpu"

    @property
    def name(self):
        parts = [self.config, self.dtype]
        parts += [self.weights] if self.weights != "same" else []
        parts += [self.mcpu] if self.mcpu != "native" else []
        parts += [self.target] if self.target != "cpu" else []
        return "-".join(parts)

    def options(self):
        """What chimera-compile is told."""
        words = [f"--dtype={self.dtype}", f"--target={self.target}"]
        words += [f"--weights={self.weights}"] if self.weights != "same" else []
        words += [f"--mcpu={self.mcpu}"] if self.mcpu != "native" else []
        return words


@dataclass(frozen=True)
class Run:
    """One call of chimera-bench."""

    row: str
    model: Model
    options: tuple  # of chimera-bench
    label: str = ""  # what sets it apart from the same model's other runs: "busy", "1 thread", ...
    burner: bool = False  # beside a process that burns the last core
    huge_pages: bool = True
    environment: dict = field(default_factory=dict, hash=False, compare=False)


DENSE_F32, DENSE_BF16 = Model("dense", "f32"), Model("dense", "bf16")
DENSE_INT8, DENSE_INT4 = Model("dense", "bf16", "int8"), Model("dense", "bf16", "int4")
ROUTED_F32, ROUTED_BF16 = Model("routed", "f32"), Model("routed", "bf16")
ROUTED_INT8, ROUTED_INT4 = Model("routed", "bf16", "int8"), Model("routed", "bf16", "int4")
REF = [Model("dense", "f32", target="ref"), Model("routed", "f32", target="ref")]


def forced(model):
    """Options that make a routed model's modes those of the table."""
    return ("--fractions", FRACTIONS) if model.config == "routed" else ()


def short(size):
    """Prefill of 512 and decode from an empty cache, with the time of every kernel."""
    models = [DENSE_F32, DENSE_BF16, DENSE_INT8, DENSE_INT4, ROUTED_F32, ROUTED_BF16, ROUTED_INT8, ROUTED_INT4]
    options = ("--prefill", "512", "--decode-context", "0", "--profile", "--repeats", str(size.repeats))
    return [Run("short", model, options + forced(model)) for model in models]


def long(size):
    """Decode with a long context: each dense run between two of the routed model, whose ratio is wanted."""
    options = ("--decode-context", str(size.context), "--profile", "--repeats", str(size.few))
    order = [ROUTED_BF16, DENSE_BF16, ROUTED_BF16, ROUTED_F32, DENSE_F32, ROUTED_F32]
    return [Run("long", model, options + forced(model)) for model in order]


def batch(size):
    options = ("--decode-context", "0", "--batch", "1,16", "--repeats", str(size.repeats))
    return [Run("batch", DENSE_BF16, options)]


def busy(size):
    """The same work on an idle machine and beside a process that burns a core."""
    options = ("--prefill", "512", "--decode-context", "0", "--repeats", str(size.repeats))
    return [Run("busy", DENSE_BF16, options, label="idle"),
            Run("busy", DENSE_BF16, options, label="busy", burner=True)]


def switches(size):
    """What can be switched, all of it in turn and several times over: instruction sets, int8, threads, huge pages, and
    the modes that all tokens take. The last instruction set, on two threads, is what the others compare with."""
    options = ("--prefill", "512", "--decode-context", "0", "--repeats", str(size.few))
    long_options = ("--decode-context", "4096", "--repeats", str(size.few))
    runs = [Run("switches", Model("dense", dtype, mcpu=isa), options, label=isa)
            for dtype in ("f32", "bf16") for isa in size.isas if dtype == "bf16" or "bf16" not in isa]
    runs += [Run("switches", DENSE_INT8, options, label="int8"),
             Run("switches", DENSE_BF16, options + ("--threads", "1"), label="1 thread"),
             Run("switches", DENSE_BF16, long_options, label="context 4096"),
             Run("switches", DENSE_BF16, long_options + ("--threads", "1"), label="context 4096, 1 thread"),
             Run("switches", DENSE_BF16, options, label="no huge pages", huge_pages=False)]
    runs += [Run("switches", ROUTED_BF16, options + ("--fractions", f"{mode}=1"), label=f"all {mode}")
             for mode in ("ssm", "swa", "full", "identity")]
    return runs * size.rounds


def ref(size):
    """The ref target and the same work on cpu: by what each kernel gained."""
    options = ("--prefill", "64", "--decode-context", "64", "--decode-tokens", "8", "--profile", "--repeats", "3")
    models = [REF[0], DENSE_F32, REF[1], ROUTED_F32]
    return [Run("ref", model, options + forced(model)) for model in models]


def peers(size):
    options = ("--prefill", "512", "--decode-context", "0", "--peers", "--repeats", str(size.few))
    return [Run("peers", DENSE_BF16, options), Run("peers", DENSE_F32, options)]


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    context: int  # of long decode
    repeats: int  # of short works
    few: int  # of the others
    compiles: int
    rounds: int  # through what can be switched
    isas: tuple  # names of --mcpu that this machine has


ROWS = {"short": short, "long": long, "batch": batch, "busy": busy, "switches": switches, "ref": ref, "peers": peers}
COMPILED = [DENSE_F32, DENSE_BF16, DENSE_INT8, DENSE_INT4, ROUTED_F32, ROUTED_BF16, ROUTED_INT8, ROUTED_INT4]
