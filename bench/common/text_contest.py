# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Contests of models of text: they are trained in stages, each of which goes on with the weights of the one before, on
longer sequences; and tried on text that was held out."""

import dataclasses
import os
import shutil
from dataclasses import dataclass

import arrays
import contest
import text_models
import texts
from logs import read_run
from trainings import train_command
from tried import try_model

FIELDS = ("contender", "seed", "seq", "batch")


@dataclass(frozen=True)
class Stage:
    """Sequences of `seq` bytes, `batch` of them in each of the steps. `rows` is the share of them that a bench makes
    up itself, each with so many `facts`; the others are windows of the text."""

    seq: int
    batch: int
    steps: int
    lr: float = 3e-3
    rows: float = 0.0
    facts: int = 0


@dataclass(frozen=True)
class Recipe:
    """How every contender is trained."""

    width: int
    stages: tuple

    def options(self, seed):
        return {"stages": [dataclasses.asdict(stage) for stage in self.stages], "width": self.width, "seed": seed}

    def shortened(self, steps):
        """The same with at most so many steps in each stage."""
        return dataclasses.replace(self, stages=tuple(
            dataclasses.replace(stage, steps=min(stage.steps, steps)) for stage in self.stages))


@dataclass(frozen=True)
class Cell(contest.Context):
    """A context that trained models are tried at, with at most so many windows of the held-out text."""

    windows: int


@dataclass(frozen=True)
class Speed(contest.Batched, contest.Context):
    """A context at which prefill and decode are timed, with `batch` windows at once."""


@dataclass(frozen=True)
class Plan(contest.Plan):
    """`cells` are contexts at which held-out text is predicted."""

    cells: tuple


@dataclass(frozen=True)
class Work(contest.Work):
    """One training: a contender with a seed, on a text."""

    text: texts.Text = dataclasses.field(repr=False)

    def config(self):
        """A config.json for each stage."""
        return [text_models.config(self.contender, self.recipe.width, stage.lr) for stage in self.recipe.stages]

    def settings(self):
        return {**super().settings(), "text": self.text.digest()}


def add_options(parser):
    parser.add_argument("--text", metavar="FILE", help="what to train on, whose last twentieth is held out (the King "
                        "James Bible of Debian's packages bible-kjv and bible-kjv-text)")


class TextContest(contest.Contest):
    """`options` has `text` too."""

    def __init__(self, options, root):
        super().__init__(options, root, FIELDS)
        self.text = texts.read_text(options.text)
        self.texts = os.path.join(self.folder, "texts")
        os.makedirs(self.texts, exist_ok=True)

    def rows(self, stage, count):
        """The content of `count` rows of stage.seq + 1 bytes that a bench makes up."""
        raise NotImplementedError

    def work(self, contender, seed):
        return Work(self.plan.recipe, contender, seed, self.text)

    def file(self, name, write):
        """The path of a file in texts/ that is made once of each text: write(path)."""
        base, extension = os.path.splitext(name)
        path = os.path.join(self.texts, f"{base}-{self.text.digest()}{extension}")
        if not os.path.exists(path):
            new = f"{path}.{os.getpid()}"  # several programs may make it at the same time
            write(new)
            os.replace(new, path)
        return path

    def data(self, stage):
        """The trainer's sources."""
        def write_text(path):
            with open(path, "wb") as file:
                file.write(self.text.train)

        def write_rows(path):
            arrays.write_bytes(path, (count, stage.seq + 1), self.rows(stage, count))

        found = []
        if stage.rows:
            count = max(stage.batch, round(stage.steps * stage.batch * stage.rows))
            path = self.file(f"rows-T{stage.seq}-facts{stage.facts}-{count}.npy", write_rows)
            found.append(f"{stage.rows:g}@{path}")
        if stage.rows < 1:
            found.append(f"{1 - stage.rows:g}@{self.file('train.txt', write_text)}")
        return found

    def stages(self, work, folder):
        """The last stage leaves its model in `folder`, the others in folders of it, and each of them that is not the
        first begins from a folder with its config and the weights of the one before."""
        before, last = None, len(work.recipe.stages) - 1
        for i, (stage, config) in enumerate(zip(work.recipe.stages, work.config())):
            out, start = (folder if i == last else os.path.join(folder, f"stage-{i}")), folder + f"-start-{i}"
            if i < last and finished(out, stage.steps):
                before = out
                continue
            os.makedirs(out, exist_ok=True)
            os.makedirs(start, exist_ok=True)
            path = contest.write_config(config, os.path.join(start, "config.json"))
            if before:
                link(os.path.join(before, "model.safetensors"), os.path.join(start, "model.safetensors"))
            options = {**dataclasses.asdict(stage), "data": self.data(stage), "seed": work.seed}
            yield train_command(start if before else path, options, out, self.options.threads), out
            shutil.rmtree(os.path.join(out, "checkpoints"), ignore_errors=True)
            before = out

    def measured(self, work, folder):
        records, evaluations = read_run(folder, work.recipe.stages[-1].steps)
        return {"parameters": records[0]["parameters"], "loss": evaluations[-1]["hard"]["loss"]}

    def summary(self, found):
        return f"loss {found['loss']:.4f}"

    def predict(self, work):
        """How well a trained model predicts held-out text, and its caches."""
        def measure(folder, binary, cell):
            sums, windows = [], texts.windows(self.text, cell.seq, cell.windows)
            found = try_model(self.call, folder, binary, windows, lambda *answers: sums.append(texts.nats(*answers)))
            return {**found, "bits": texts.bits_per_byte(sum(sums), texts.predicted(windows))}

        self.try_at("text", work, self.plan.cells, measure,
                    lambda found: f"{found['bits']:.4f} bits a byte, {sum(found['entries_by_layer']):.0f} entries")

    def speed_tokens(self, speed):
        """Held-out text; where there is not enough of it, the same again."""
        found = texts.windows(self.text, speed.seq, speed.batch)
        path = os.path.join(self.texts, f"T{speed.seq}-batch{speed.batch}.npy")
        arrays.write_sequences(path, [found[i % len(found)] for i in range(speed.batch)])
        return path


def finished(folder, steps):
    """Whether a stage has reached its last step there."""
    try:
        read_run(folder, steps)
    except (OSError, ValueError):
        return False
    return os.path.exists(os.path.join(folder, "model.safetensors"))


def link(source, target):
    """A link to the file, in place of what is there."""
    if os.path.lexists(target):
        os.remove(target)
    os.symlink(source, target)
