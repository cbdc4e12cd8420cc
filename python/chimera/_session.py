# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sessions and their sequences."""
from __future__ import annotations

import enum
import os
import tempfile
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, NamedTuple, Optional, Union

import numpy as np

from . import _arguments, _native
from ._errors import Error

if TYPE_CHECKING:
    from ._model import Model


class Mode(enum.IntEnum):
    """The ways in which a token can look back in a layer, by the numbers that routing arrays have."""

    SSM = 0
    SWA = 1
    FULL = 2
    IDENTITY = 3


_LOGITS = {"none": 0, "last": 1, "all": 2}
_MEMORY = ("ssm", "swa", "full", "token_conv", "route")


class CacheBytes(NamedTuple):
    """Bytes of caches: set aside, and those of them that hold something."""

    reserved: int
    used: int


class Item(NamedTuple):
    """The work of one sequence in a step; see ``Session.step``."""

    sequence: "Sequence"
    tokens: _arguments.Tokens
    logits: str = "last"
    forced: Any = None


class Output(NamedTuple):
    """What a step made of one item.

    ``logits`` is [rows, vocab_size], float32 (float64 of an f64 model): no row, the last token's, or each token's.
    ``routing`` is int8 [tokens, layers], the mode that each token was admitted to in each layer (``Mode``); None where
    it was not asked for.
    """

    logits: np.ndarray
    routing: Optional[np.ndarray]


class Session:
    """A session of a model: threads, and the caches of its sequences.

    It is used by one thread at a time: a call while another thread is in one raises ``Error``. Several sessions of a
    model may run at once, each in a thread of its own; the interpreter's lock is released while they do. A session
    keeps what it needs of its model. It belongs to the process that made it. ``with`` closes it.

    Made by ``Model.session``.
    """

    def __init__(self, model: "Model", *, threads: Optional[int] = None, max_sequences: Optional[int] = None,
                 memory_limit: Optional[int] = None, poison: bool = False) -> None:
        self.model = model
        self._dropped: List[int] = []  # Sequences that were collected and not yet dropped.
        native, weights = model._parts()
        self._native = _native.Session(
            native, weights,
            0 if threads is None else _arguments.whole("threads", threads, 1, 1024),
            0 if max_sequences is None else _arguments.whole("max_sequences", max_sequences, 1, 1 << 20),
            0 if memory_limit is None else _arguments.whole("memory_limit", memory_limit, 1), bool(poison))

    def close(self) -> None:
        """Ends all sequences and gives threads and memory back. Every other call fails from then on."""
        self._native.close()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._native.closed()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _collect(self) -> None:
        """Drops the sequences that nobody holds any more. They are collected wherever Python likes, also while another
        thread is in a step, so it is done at the next call."""
        while self._dropped:
            try:
                sequence = self._dropped.pop()
            except IndexError:
                return
            try:
                self._native.drop(sequence)
            except Error:
                if not self._native.closed():
                    self._dropped.append(sequence)
                return

    def add(self) -> "Sequence":
        """Starts an empty sequence. Raises ``Error`` of kind "limit" when there are as many as the session holds."""
        self._collect()
        return Sequence(self, self._native.add())

    def restore(self, snapshot: Union[bytes, bytearray, memoryview, str, "os.PathLike[str]"]) -> "Sequence":
        """Starts a sequence from what ``Sequence.snapshot`` gave: bytes, or the path of the file that it wrote.

        The snapshot must be of the same binary, variant and weights; otherwise, and where it is damaged, ``Error``.
        """
        self._collect()
        if isinstance(snapshot, (bytes, bytearray, memoryview)):
            return Sequence(self, self._native.restore(bytes(snapshot)))
        path = _arguments.path_bytes("snapshot", snapshot)
        with open(path, "rb") as file:
            content = file.read()
        try:
            return Sequence(self, self._native.restore(content))
        except Error as error:
            raise Error(f"{os.fsdecode(path)!r}: {error}", error.kind) from None

    def step(self, items: Iterable[Union[Item, tuple]], *, routing: bool = True) -> List[Output]:
        """Feeds tokens to sequences, and returns an ``Output`` for each item, in their order.

        Each item is an ``Item``, or a tuple of its fields: (sequence, tokens[, logits[, forced]]).

        - tokens: [count], whole numbers in 0 .. vocab_size - 1: a sequence of ints, a NumPy array, or an object that
          speaks DLPack. The session takes a copy of them (4 bytes a token), so they may change during the step.
        - logits: "none", "last" or "all": the rows that are wanted.
        - forced: [count, layers] or what NumPy repeats to it: modes to admit instead of the router's, -1 to let it
          decide; see ``Model.forceable``.

        Any mix of long and short work is good; what is beyond the binary's limits is cut, and results do not depend on
        how. A sequence occurs at most once. ``routing=False`` leaves the modes out.

        Raises ``TypeError`` and ``ValueError`` for wrong arguments, ``Error`` of kind "limit" when memory does not
        suffice. A step that fails leaves every sequence as it was.
        """
        self._collect()
        entries, rows = [], []
        for index, item in enumerate(items):
            entries.append(self._entry(f"items[{index}]", item))
            count, wanted = len(entries[-1][1]), entries[-1][3]
            rows.append((count if wanted == 2 else min(count, wanted), count))
        logits, modes = self._native.step(entries, bool(routing))
        outputs, first_row, first_token = [], 0, 0
        for wanted, count in rows:
            outputs.append(Output(logits[first_row:first_row + wanted],
                                  None if modes is None else modes[first_token:first_token + count]))
            first_row += wanted
            first_token += count
        return outputs

    def _entry(self, name: str, item: Union[Item, tuple]) -> tuple:
        """An item as the extension takes it."""
        if not isinstance(item, tuple) or not 2 <= len(item) <= 4:
            raise TypeError(f"{name} must be an Item, or (sequence, tokens[, logits[, forced]])")
        item = Item(*item)
        if not isinstance(item.sequence, Sequence):
            raise TypeError(f"{name}.sequence must be a Sequence, not {type(item.sequence).__name__}")
        if item.sequence.session is not self:
            raise ValueError(f"{name}.sequence is of another session")
        if not isinstance(item.logits, str) or item.logits not in _LOGITS:
            raise ValueError(f"{name}.logits must be 'none', 'last' or 'all', not {item.logits!r}")
        tokens = _arguments.token_ids(f"{name}.tokens", item.tokens, self.model.vocab_size)
        forced = _arguments.forced_modes(f"{name}.forced", item.forced, len(tokens), self.model.layers)
        return item.sequence._handle(), tokens, forced, _LOGITS[item.logits]

    def memory(self) -> Dict[str, CacheBytes]:
        """The cache bytes of all sequences: by mode ("ssm", "swa", "full"), of the token convolution's tails
        ("token_conv") and of the router's counts ("route"). Pages that forks share count once."""
        self._collect()
        return self._memory(0)

    def _memory(self, sequence: int) -> Dict[str, CacheBytes]:
        return {name: CacheBytes(*both) for name, both in zip(_MEMORY, zip(*self._native.memory(sequence)))}

    def generate(self, prompt, max_new_tokens: int = 64, **options):
        """As ``Model.generate``, in this session."""
        from . import _generate
        return _generate.generate(self, prompt, max_new_tokens, **options)

    def generate_batch(self, prompts, max_new_tokens: int = 64, **options):
        """As ``Model.generate_batch``, in this session."""
        from . import _generate
        return _generate.generate_batch(self, prompts, max_new_tokens, **options)


class Sequence:
    """A sequence of a session, with its caches. It ends with ``drop``, when nobody holds it any more, or with its
    session; ``with`` drops it. Made by ``Session.add``, ``Session.restore`` and ``fork``."""

    def __init__(self, session: Session, handle: int) -> None:
        self.session = session
        self._id: Optional[int] = handle

    def __del__(self) -> None:
        handle = getattr(self, "_id", None)
        if handle is not None:
            self.session._dropped.append(handle)

    def __enter__(self) -> "Sequence":
        return self

    def __exit__(self, *_: object) -> None:
        if self._id is not None and not self.session.closed:
            self.drop()

    def _handle(self) -> int:
        if self._id is None:
            raise Error("the sequence was dropped")
        return self._id

    @property
    def position(self) -> int:
        """How many tokens the sequence was fed: the position of its next token."""
        return self.session._native.position(self._handle())

    def step(self, tokens: _arguments.Tokens, logits: str = "last", forced: Any = None, *,
             routing: bool = True) -> Output:
        """Feeds tokens to this sequence alone; see ``Session.step``."""
        return self.session.step([Item(self, tokens, logits, forced)], routing=routing)[0]

    def fork(self) -> "Sequence":
        """An independent copy with all caches. Full pages of growing lists are shared, not copied."""
        self.session._collect()
        return Sequence(self.session, self.session._native.fork(self._handle()))

    def drop(self) -> None:
        """Ends the sequence and gives its memory back."""
        self.session._native.drop(self._handle())
        self._id = None

    def snapshot(self, path: Union[str, "os.PathLike[str]", None] = None) -> Optional[bytes]:
        """Everything that the sequence holds, as bytes for ``Session.restore`` of any session of the same binary and
        weights. With a path it is written there instead; the file is the old one or the whole new one at any time."""
        content = self.session._native.snapshot(self._handle())
        if path is None:
            return content
        target = os.fsdecode(_arguments.path_bytes("path", path))
        made, temporary = tempfile.mkstemp(prefix=".chimera-", dir=os.path.dirname(target) or ".")
        try:
            with os.fdopen(made, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
        return None

    def memory(self) -> Dict[str, CacheBytes]:
        """The cache bytes of this sequence, as ``Session.memory``; pages that forks share count fully."""
        return self.session._memory(self._handle())

    def generate(self, prompt, max_new_tokens: int = 64, **options):
        """Feeds `prompt` to this sequence and continues it, as ``Model.generate`` does for a new one. The last new
        token has not been fed when it ends."""
        from . import _generate
        return _generate.generate(self.session, prompt, max_new_tokens, sequence=self, **options)
