# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Contests: contenders are trained with several seeds, tried at contexts, and timed in turn. What the contenders, their
recipe and the contexts are is a bench's `works.py`, in two plans, `WHOLE` and `QUICK`."""

import argparse
import dataclasses
import json
import os
import time
from dataclasses import dataclass

import machine
import trainings
from programs import compile_model, read_speeds
from tried import speed_command

# Recall has to hold at distances that no training has seen. So only one pair of a head's 32 numbers is rotated; with
# all of them rotated, recall falls beyond the length of training, in dense too.
FAR = {"partial_rotary_factor": 0.0625, "rope_theta": 1e8}
PROGRAMS = ("chimera-train", "chimera-compile", "chimera-run")


@dataclass(frozen=True)
class Plan:
    """A whole contest. A bench adds what its own parts try."""

    recipe: object
    contenders: tuple
    seeds: tuple
    speeds: tuple
    rounds: int  # of the speeds


@dataclass(frozen=True)
class Context:
    """Sequences so long. A bench adds what else tells its contexts apart."""

    seq: int

    def key(self):
        """What tells its entries in the file of results from those of others."""
        return {"seq": self.seq}

    def __str__(self):
        return f"T {self.seq}"


@dataclass(frozen=True)
class Batched:
    """Put before a Context among the bases of a class: the context with `batch` sequences at once."""

    batch: int

    def key(self):
        return {**super().key(), "batch": self.batch}

    def __str__(self):
        return f"{super().__str__()}, batch {self.batch}"


@dataclass(frozen=True)
class Work:
    """One training: a contender with a seed. `recipe` has options(seed), which decide the weights beside the config."""

    recipe: object
    contender: str
    seed: int

    def key(self):
        """What tells its entries in the file of results from those of others."""
        return {"contender": self.contender, "seed": self.seed}

    def name(self):
        return f"{self.contender}-{self.seed}"

    def config(self):
        """The config.json's content."""
        raise NotImplementedError

    def settings(self):
        """What decides the trained weights: the config and the options, without paths or threads."""
        return {"config": self.config(), "options": self.recipe.options(self.seed)}

    def digest(self):
        return trainings.digest(self.settings())


def write_config(config, path):
    """The config as a file; its path."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file, indent=1)
    return path


class Contest(trainings.Comparison):
    """`options` are those of `arguments`. A bench says how it makes works, what it tries, and what it times on."""

    def __init__(self, options, root, fields):
        super().__init__(options, root, PROGRAMS, fields)
        self.plan = options.plan

    def work(self, contender, seed):
        raise NotImplementedError

    def tries(self):
        """{part: function of a trained work, which calls try_at}."""
        raise NotImplementedError

    def speed_tokens(self, speed):
        """The path of a file with the sequences to time, [speed.batch, speed.seq]."""
        raise NotImplementedError

    def works(self):
        """Seed by seed, so that an interrupted contest has whole seeds."""
        return [self.work(contender, seed) for seed in self.options.seeds for contender in self.options.contenders]

    def fresh(self, kind, work, **key):
        """Whether there is such an entry of the trained weights, and it is to stay."""
        return not self.options.again and self.stored(kind, work, **key) is not None

    def try_at(self, kind, work, cells, measure, say):
        """Stores, for each of the cells (dataclasses whose `key()` tells their entries from others), what
        measure(folder, binary, cell) finds, a dictionary, and prints it as say(dictionary) has it."""
        folder, binary = self.model_folder(work), None
        for cell in cells:
            if self.fresh(kind, work, **cell.key()):
                continue
            binary = binary or compile_model(self.call, folder)
            begin = time.monotonic()
            found = measure(folder, binary, cell)
            self.store.add(self.entry(kind, work, **cell.key(), wall_seconds=time.monotonic() - begin, **found))
            print(f"{work.name()}: {cell}: {say(found)}", flush=True)

    def speed(self):
        """Times the first seed's models, all contenders of a context in turn."""
        wanted = [work for work in self.works() if work.seed == self.options.seeds[0] and self.found(work)]
        due = [speed for speed in self.plan.speeds
               if not all(self.fresh("speed", work, **speed.key()) for work in wanted)]
        binaries = {work: compile_model(self.call, self.model_folder(work)) for work in wanted if due}
        for speed in due:
            self.time(speed, binaries)

    def time(self, speed, binaries):
        tokens, load = self.speed_tokens(speed), machine.load()
        commands = {work: speed_command(self.model_folder(work), binary, speed, tokens, self.options.threads)
                    for work, binary in binaries.items()}
        rounds = trainings.in_turn(commands, self.plan.rounds,
                                   lambda work: read_speeds(self.call(commands[work])[1]))
        self.store.add(*[self.entry("speed", work, **speed.key(), rounds=found, load=load,
                                     command=self.shown(commands[work])) for work, found in rounds.items()])
        print(f"speed at {speed}: {self.plan.rounds} rounds of {', '.join(work.contender for work in rounds)}",
              flush=True)

    def run(self):
        """The parts that were asked for."""
        parts = self.options.parts
        for work in self.works():
            if "train" in parts:
                self.train(work)
            for part, attempt in self.tries().items():
                if part in parts and self.found(work):
                    attempt(work)
        if "speed" in parts:
            trainings.note_load()
            self.speed()
        print(f"wrote {os.path.relpath(self.options.output, os.getcwd())}")


def arguments(doc, name, plans, parts, quick, add=None):
    """The options of bench/NAME/run, whose module `plans` has CONTENDERS, WHOLE and QUICK: contenders, seeds, parts and
    the plan among them. `quick` says what --quick does; `add` is given the parser for more options."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    seeds = [",".join(str(seed) for seed in plan.seeds) for plan in (plans.WHOLE, plans.QUICK)]
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--contenders", type=trainings.names, metavar="NAME,..",
                        help=", ".join(plans.CONTENDERS) + " (all)")
    parser.add_argument("--seeds", type=trainings.numbers, metavar="S,..",
                        help=f"{seeds[0]}; with --quick {seeds[1]}")
    parser.add_argument("--parts", type=trainings.names, metavar="PART,..", help=", ".join(parts) + " (all)")
    parser.add_argument("--steps", type=int, help="train so many steps only, to try it out")
    parser.add_argument("--rounds", type=int,
                        help=f"of speed ({plans.WHOLE.rounds}; with --quick {plans.QUICK.rounds})")
    trainings.add_options(parser, f"build/bench/{name}/results.json, with --quick quick.json")
    if add:
        add(parser)
    options = parser.parse_args()
    for word in ("steps", "rounds", "threads"):
        if getattr(options, word) is not None and getattr(options, word) < 1:
            parser.error(f"{word} are at least 1")
    plan = plans.QUICK if options.quick else plans.WHOLE
    options.contenders = trainings.chosen(options.contenders, plan.contenders, parser)
    options.seeds = options.seeds or list(plan.seeds)
    options.parts = trainings.chosen(options.parts, parts, parser)
    recipe = plan.recipe.shortened(options.steps) if options.steps else plan.recipe
    options.plan = dataclasses.replace(plan, recipe=recipe, rounds=options.rounds or plan.rounds)
    trainings.finish_options(options, root, name)
    return options
