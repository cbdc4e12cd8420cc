# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The programs that make models, which need LLVM and so are run as processes of their own."""
from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Union

from ._errors import Error

Path = Union[str, "os.PathLike[str]"]

_HERE = pathlib.Path(__file__).resolve().parent


def find_program(name: str) -> str:
    """The path of a program such as "chimera-compile": what the environment's variable CHIMERA_COMPILE says, else the
    one that was built or installed with this package, else the one in PATH. Raises ``Error`` if there is none."""
    variable = name.upper().replace("-", "_")
    given = os.environ.get(variable)
    if given:
        if not os.access(given, os.X_OK):
            raise Error(f"{variable}: {given!r} is no program", "program")
        return given
    for folder in list(_HERE.parents)[:4]:
        beside = folder / "bin" / name
        if os.access(beside, os.X_OK):
            return str(beside)
    found = shutil.which(name)
    if not found:
        raise Error(f"{name} is neither beside this package nor in PATH; set {variable} to its path", "program")
    return found


def _words(options: Dict[str, Any], repeated: Set[str] = frozenset()) -> List[str]:
    """Keywords as a command line has them: memory_limit="2G" is --memory-limit=2G, True a flag, None and False nothing.
    A list is a list with commas, or for one of `repeated` the option several times."""
    words = []
    for key, value in options.items():
        option = "--" + key.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            words.append(option)
        elif isinstance(value, (list, tuple)) and key in repeated:
            words += [f"{option}={_word(key, each)}" for each in value]
        elif isinstance(value, (list, tuple)):
            words.append(f"{option}={','.join(_word(key, each) for each in value)}")
        else:
            words.append(f"{option}={_word(key, value)}")
    return words


def _word(key: str, value: Any) -> str:
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (str, int, os.PathLike)):
        return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    raise TypeError(f"{key} must be a str, a path or a number, not {type(value).__name__}")


def _file_word(value: Path) -> str:
    """A path as a word that is no option."""
    word = os.fspath(value)
    if not isinstance(word, str):
        word = os.fsdecode(word)
    return os.path.join(".", word) if word.startswith("-") else word


def _fail(name: str, status: int, complaint: str) -> None:
    """Raises what a program that ended with an error said: ``ValueError`` for a wrong option, else ``Error``."""
    lines = [line for line in complaint.splitlines() if line.strip()]
    if status < 0:
        message = f"{name}: ended by signal {signal.Signals(-status).name}"
        raise Error(message + (f" after: {lines[-1]}" if lines else ""), "program")
    message = lines[-1] if lines else f"{name}: ended with status {status}"
    for prefix in (f"{name}: ", "error: "):
        if message.startswith(prefix):
            message = message[len(prefix):]
    if status == 2:
        raise ValueError(message)
    raise Error(message, "program")


def compile(model: Path, output: Optional[Path] = None, *, target: Optional[str] = None, dtype: Optional[str] = None,
            **options: Any) -> Union[pathlib.Path, str]:
    """Compiles a model by ``chimera-compile``.

    - model: a folder with a ``config.json``, a ``config.json``, or a ``.mlir`` file.
    - output: the model binary to write.
    - target: "cpu" (the default), "ref", "sim" or "cuda"; dtype: "f32" (the default), "bf16" or "f64".
    - Every other option of the program by its name, with underscores: ``max_tokens=256``, ``max_seqs=8``,
      ``mcpu=["avx2", "avx512"]``, ``weights="int8"``, ``phases=["infer", "train"]``, ``memory_limit="2G"``,
      ``drop_modes="routing.npy"``. docs/compiler.md says what they mean.

    Returns the path of the output; without one (``emit="fused"``, ``explain=True``) the text that the program prints.
    Raises ``Error`` with its message, ``ValueError`` for an option that it does not know or take.
    """
    name = "chimera-compile"
    words = [find_program(name), _file_word(model), *_words({"target": target, "dtype": dtype, **options})]
    if output is not None:
        words += ["-o", _file_word(output)]
    result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            encoding="utf-8", errors="replace")
    if result.returncode:
        _fail(name, result.returncode, result.stderr)
    return result.stdout if output is None else pathlib.Path(output)


class _Log:
    """The records of a run's log, as they come. A run that goes on with an earlier one may cut the log first, so until
    there is something new all of it is read; lines of before are known."""

    def __init__(self, path: pathlib.Path, resumes: bool) -> None:
        self._path = path
        self._known: Set[bytes] = set(self._lines(0)) if resumes else set()
        self._offset: Optional[int] = None if resumes else 0
        self._identity = None if resumes else self._stat()

    def _stat(self) -> Optional[tuple]:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_size

    def _lines(self, offset: int) -> List[bytes]:
        """The whole lines from `offset` on."""
        try:
            with open(self._path, "rb") as file:
                file.seek(offset)
                content = file.read()
        except OSError:
            return []
        return content[:content.rfind(b"\n") + 1].splitlines(keepends=True)

    def new(self) -> Iterator[Dict[str, Any]]:
        """What has come since the last call."""
        if self._identity is not None:  # The log of an earlier run, which this one replaces.
            if self._stat() == self._identity:
                return
            self._identity = None
        lines = self._lines(self._offset or 0)
        if self._offset is not None:
            self._offset += sum(map(len, lines))
        elif any(line not in self._known for line in lines):
            self._offset = sum(map(len, lines))
        for line in lines:
            if line in self._known:
                continue
            try:
                record = json.loads(line)
            except ValueError:
                continue
            yield record


def train(model: Path, data: Union[str, List[str]], out: Path, *, steps: int, batch: int, seq: int,
          callback: Optional[Callable[[Dict[str, Any]], Any]] = None, **options: Any) -> pathlib.Path:
    """Trains a model by ``chimera-train``, and returns the folder `out`, which holds the trained model.

    - model: a ``config.json``, or a folder whose weights are the start.
    - data: what is learned, as ``--data`` takes it; a list mixes several sources.
    - steps, and batch sequences of seq tokens each.
    - callback: is called with each record of the log (docs/training.md, "The log"), a dict with "kind" ("step" or
      "evaluation"), soon after it was written. What it raises ends the run as SIGTERM does: with a checkpoint.
    - Every other option of the program by its name, with underscores: ``seed=1``, ``dtype="bf16"``, ``lr=1e-3``,
      ``resume=True``, ``eval_every=100``, ``threads=2``, ``target="ref"``.

    Raises ``Error`` with the program's message, ``ValueError`` for an option that it does not know or take.
    """
    name = "chimera-train"
    resumes = bool(options.get("resume"))
    folder = pathlib.Path(out)
    words = [find_program(name), _file_word(model),
             *_words({"data": [data] if isinstance(data, str) else data, "out": folder, "steps": steps, "batch": batch,
                      "seq": seq, **options}, {"data"})]
    log = _Log(folder / "log.jsonl", resumes)
    with tempfile.TemporaryFile() as complaints:
        # A group of its own: Ctrl-C reaches this process, which tells the run once.
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=complaints,
                                   start_new_session=True)
        try:
            _follow(process, log, callback)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        complaints.seek(0)
        if process.returncode:
            _fail(name, process.returncode, complaints.read().decode("utf-8", "replace"))
    return folder


def _follow(process: "subprocess.Popen[bytes]", log: _Log, callback: Optional[Callable[[Dict[str, Any]], Any]]) -> None:
    """Waits for the end of a run, and tells of its records."""
    if callback is None:
        process.wait()
        return
    ended = False
    while not ended:
        ended = process.poll() is not None
        for record in log.new():
            callback(record)
        if not ended:
            time.sleep(0.05)
