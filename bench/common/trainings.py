# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Comparisons of trained models: each training is an entry of one JSON file, kept as soon as it is there.

A work says what to train: `name()`; `key()`, the fields of its entries; `settings()`, what decides the trained weights;
`digest()` of these. A work that is in the file with the same settings is not trained again (one that failed is, if the
program changed or a signal killed it), and a killed training goes on from its last checkpoint. Several programs may
work at the same time: one has a work's folder alone."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import machine
from programs import with_threads
from store import Store, only_one


class Failed(Exception):
    """A program that ended with an error: its command, its status (negative: a signal), its last line."""

    def __init__(self, command, status, text):
        lines = text.strip().splitlines() or [f"exit status {status}"]
        super().__init__(f"{command[0]}: {lines[-1]}")
        self.status = status


def digest(settings):
    """Equal for equal settings, however the file of a config is laid out."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def train_command(config, options, out, threads):
    """chimera-train of the config in that file, which leaves the model in `out`. It goes on where a killed run left its
    last checkpoint. `options`: data (or a list of such), steps, batch, seq, seed, and maybe evaluated, the sequences of
    an evaluation."""
    data = options["data"] if isinstance(options["data"], list) else [options["data"]]
    words = ["chimera-train", config, *(word for one in data for word in ("--data", one)), "--out", out]
    for name in ("steps", "batch", "seq", "seed"):
        words += [f"--{name}", str(options[name])]
    words += ["--log-every", "50", "--checkpoint-every", "200", "--keep", "1", "--resume"]
    words += ["--eval-sequences", str(options["evaluated"])] if "evaluated" in options else []
    return with_threads(words, threads)


def is_trained(folder):
    """Whether it holds a model that was trained to its end, whose entry is no longer in the file: the trainer would not
    replace it."""
    return (os.path.exists(os.path.join(folder, "model.safetensors"))
            and not os.path.exists(os.path.join(folder, "checkpoints")))


class Comparison:
    """Trains, measures, and keeps what it found in the file. `options` has bin, output, threads and again.
    OSError, ValueError: a program is missing, or the file cannot be read."""

    def __init__(self, options, root, programs, fields):
        self.options, self.root = options, root
        self.folder = os.path.dirname(options.output)
        self.commit = machine.commit(root)
        self.store = Store(options.output, fields)
        for program in programs:
            if not os.access(os.path.join(options.bin, program), os.X_OK):
                raise ValueError(f"there is no program {program} in {options.bin}: build it, or name its folder with "
                                 "--bin")
        os.makedirs(self.folder, exist_ok=True)
        try:
            self.store.load()
        except (OSError, ValueError) as error:
            raise ValueError(f"cannot read {options.output}: {error}") from error

    def command(self, work, folder):
        """The trainer's command line, which leaves the model in `folder`."""
        raise NotImplementedError

    def stages(self, work, folder):
        """(the trainer's command line, the folder that it leaves a model in), one after the other; the last of them in
        `folder`. What a killed run has finished may be left out."""
        yield self.command(work, folder), folder

    def measured(self, work, folder):
        """What a trained model's entry says, a dictionary. Failed, OSError, ValueError: it cannot be measured."""
        raise NotImplementedError

    def summary(self, found):
        """That dictionary in some words."""
        raise NotImplementedError

    def call(self, command):
        """Runs a program of the build: (stdout, stderr). Failed: it did not end well."""
        done = subprocess.run([os.path.join(self.options.bin, command[0]), *command[1:]], cwd=self.root,
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(command, done.returncode, done.stderr)
        return done.stdout, done.stderr

    def shown(self, command):
        """A command as text, its paths from the root of the checkout; a folder outside of it as OUT."""
        inside = self.folder.startswith(self.root + os.sep)
        out = os.path.relpath(self.folder, self.root) if inside else "OUT"
        return " ".join(word.replace(self.folder, out).replace(self.root + os.sep, "") for word in command)

    def model_folder(self, work):
        """By the settings, so that no run takes another one's checkpoints for its own."""
        return os.path.join(self.folder, "models", f"{work.name()}-{work.digest()}")

    def stored(self, kind, work, **key):
        """The entry of a work with the same settings, or None."""
        entry = self.store.find(kind, **work.key(), **key)
        return entry if entry and entry["digest"] == work.digest() else None

    def found(self, work):
        """The entry of a work that was trained well, or None."""
        entry = self.stored("training", work)
        return entry if entry and entry["status"] == "ok" else None

    def is_done(self, work):
        entry = self.stored("training", work)
        if not entry or self.options.again:
            return False
        return entry["status"] == "ok" or (entry["commit"] == self.commit and entry["exit"] >= 0)

    def entry(self, kind, work, **more):
        return {"kind": kind, **work.key(), "digest": work.digest(), "date": machine.now(), "commit": self.commit,
                "cpu": machine.describe()["cpu"], "threads": self.options.threads or len(machine.threads()), **more}

    def train(self, work):
        """Trains, measures and stores one work, unless that is done or another program is at it."""
        folder = self.model_folder(work)
        os.makedirs(folder, exist_ok=True)
        with only_one(folder + ".lock") as lock:
            if lock is None:
                print(f"{work.name()}: another program is at it", flush=True)
            elif self.is_done(work):
                print(f"{work.name()}: in the file already", flush=True)
            else:
                if self.options.again or is_trained(folder):
                    shutil.rmtree(folder)
                    os.makedirs(folder)
                self.train_alone(work, folder, lock)

    def train_alone(self, work, folder, lock):
        resumed = any(name == "checkpoints" or name.startswith("stage-") for name in os.listdir(folder))
        commands = []
        begin, load = time.monotonic(), machine.load()
        found = {"settings": work.settings()["options"], "resumed": resumed, "load": load,
                 "model": os.path.relpath(folder, self.folder)}
        try:
            for command, out in self.stages(work, folder):
                commands.append(self.shown(command))
                self.run_trainer(command, out, lock)
            found["wall_seconds"] = time.monotonic() - begin
            found.update(self.measured(work, folder))
        except (Failed, OSError, ValueError) as error:
            found.update(status="failed", message=str(error), exit=getattr(error, "status", 1))
            found.setdefault("wall_seconds", time.monotonic() - begin)
            print(f"{work.name()}: failed: {error}", flush=True)
        else:
            shutil.rmtree(os.path.join(folder, "checkpoints"), ignore_errors=True)
            found.update(status="ok", exit=0)
            print(f"{work.name()}: {self.summary(found)}, {found['wall_seconds']:.0f} s", flush=True)
        self.store.add(self.entry("training", work, command="\n".join(commands), **found))

    def run_trainer(self, command, folder, lock):
        """Its output goes to train.log. It is stopped with this program, and then there is no entry. It is in a session
        of its own: two signals, the terminal's and this program's, would end it before it saved its step."""
        path = os.path.join(folder, "train.log")
        with open(path, "w", encoding="utf-8") as log:
            trainer = subprocess.Popen([os.path.join(self.options.bin, command[0]), *command[1:]], cwd=self.root,
                                       stdout=log, stderr=subprocess.STDOUT, pass_fds=(lock,), start_new_session=True)
            try:
                status = trainer.wait()
            except BaseException:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                trainer.terminate()
                trainer.wait()
                raise
        if status:
            with open(path, encoding="utf-8", errors="replace") as log:
                raise Failed(command, status, log.read())


def in_turn(names, count, measure):
    """{name: [what `measure(name)` found in each round]}. In a round each is measured once, and the next round starts
    with another, so that a machine whose speed drifts is as fast for one as for the others."""
    order, found = list(names), {name: [] for name in names}
    for i in range(count):
        turn = i % len(order)
        for name in order[turn:] + order[:turn]:
            found[name].append(measure(name))
    return found


def chosen(given, known, parser):
    """What an option names, all that there is without it. parser.error: a name that is not there."""
    for one in given or []:
        if one not in known:
            parser.error(f"there is no {one}: only {', '.join(str(name) for name in known)}")
    return list(given or known)


def numbers(text):
    """1,2,3 of an option."""
    return [int(word) for word in text.split(",")]


def names(text):
    return text.split(",")


def add_options(parser, output):
    """The options of every comparison; `output` says where the file is without --output."""
    parser.add_argument("--again", action="store_true", help="also what is in the file already")
    parser.add_argument("--threads", type=int, help="of each program; without it one a CPU")
    parser.add_argument("--bin", help="where the programs are (build/release/bin)")
    parser.add_argument("--output", help=f"the JSON file ({output}); models are beside it, in models/")


def finish_options(options, root, name):
    """The programs and the file where none were named, of the comparison in bench/NAME."""
    options.bin = options.bin or os.path.join(root, "build", "release", "bin")
    options.output = os.path.abspath(options.output or os.path.join(
        root, "build", "bench", name, "quick.json" if options.quick else "results.json"))


def note_load():
    """Says so if the machine is not idle."""
    if machine.load() > 1:
        print(f"note: the machine is not idle (load {machine.load():.1f}): compare ratios only", file=sys.stderr)


def run(main):
    """Calls `main`; an error is one line. A signal ends it as the keyboard does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (Failed, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
