# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Continuing texts and tokens."""
from __future__ import annotations

import codecs
import dataclasses
from typing import Any, Dict, Generator, Iterable, List, NamedTuple, Optional, Sequence as Sequence_, Union

import numpy as np

from . import _arguments, _native
from ._errors import Error
from ._session import Item, Output, Sequence, Session
from ._text import Tokenizer


class Piece(NamedTuple):
    """What a stream yields: the new characters, often none, and the token that brought them; the token is None for
    those that waited for the end."""

    text: str
    token: Optional[int]


@dataclasses.dataclass(frozen=True)
class Generation:
    """How a prompt went on.

    ``text`` is the new text, up to the string of `stop` that ended it; None when the model has no tokenizer. ``tokens``
    are the ids of the new tokens, int32 [new], those of the string of `stop` among them. ``finish_reason`` is "stop" (a
    string of `stop` came), "eos" (one of the model's end tokens was chosen) or "length" (there are as many as asked
    for).
    """

    text: Optional[str]
    tokens: np.ndarray
    prompt_tokens: int
    finish_reason: str


class _Text:
    """The new text of a sequence."""

    def __init__(self, tokenizer: Tokenizer, prompt: Optional[np.ndarray], stop: List[str]) -> None:
        self._decoder = _native.Stream(tokenizer._native, True)
        self._stop = _native.StopStrings([string.encode() for string in stop])
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")
        self._parts: List[str] = []
        if prompt is not None:  # The new text may complete its last bytes.
            self._decoder.push_all(prompt)

    @property
    def found(self) -> bool:
        return self._stop.found()

    @property
    def whole(self) -> str:
        return "".join(self._parts)

    def push(self, token: int) -> str:
        return self._add(self._stop.push(self._decoder.push(token)), False)

    def finish(self) -> str:
        rest = self._stop.push(self._decoder.flush())
        return self._add(rest + self._stop.flush(), True)

    def _add(self, part: bytes, final: bool) -> str:
        text = self._characters.decode(part, final)
        self._parts.append(text)
        return text


class _Job:
    """A sequence on its way."""

    def __init__(self, sequence: Sequence, tokens: np.ndarray, settings: "_Settings", number: int) -> None:
        self.sequence = sequence
        self.prompt_tokens = len(tokens)
        self.pieces: List[Piece] = []
        self.done = False
        self._rest = tokens
        self._position = sequence.position
        self._number = number
        self._settings = settings
        self._made: List[int] = []
        self._chunk = 0
        self._ended = False
        self._text = settings.text(tokens)

    def item(self, most: int) -> Item:
        """Its work in the next step, of at most `most` tokens."""
        self._chunk = min(len(self._rest), most)
        wanted = self._chunk == len(self._rest) and self._settings.max_new_tokens > 0
        return Item(self.sequence, self._rest[:self._chunk], "last" if wanted else "none")

    def take(self, output: Output) -> None:
        """Takes what the step made of it, and chooses the next token once its beginning is fed."""
        self._rest = self._rest[self._chunk:]
        self._position += self._chunk
        if len(output.logits):
            self._choose(output.logits[0])
        elif not len(self._rest):
            self._finish()

    def _choose(self, row: np.ndarray) -> None:
        try:
            token = self._settings.sampler.sample(row, self._number, self._position)
        except Error as error:
            raise Error(f"position {self._position}: {error}", error.kind) from None
        if token in self._settings.ends:
            self._ended = True
            self._finish()
            return
        self._made.append(token)
        self.pieces.append(Piece(self._text.push(token) if self._text else "", token))
        if len(self._made) == self._settings.max_new_tokens or (self._text and self._text.found):
            self._finish()
        else:
            self._rest = np.array([token], np.int32)

    def _finish(self) -> None:
        self.done = True
        if self._text:
            rest = self._text.finish()
            if rest:
                self.pieces.append(Piece(rest, None))

    def result(self) -> Generation:
        reason = "stop" if self._text and self._text.found else "eos" if self._ended else "length"
        return Generation(self._text.whole if self._text else None, np.array(self._made, np.int32),
                          self.prompt_tokens, reason)


class _Settings:
    """How texts go on: the options of ``Model.generate``, checked."""

    def __init__(self, session: Session, max_new_tokens: int, *, temperature: Optional[float] = None,
                 top_k: Optional[int] = None, top_p: Optional[float] = None, seed: int = 0,
                 stop: Union[str, Sequence_[str]] = (), parse_special: bool = False, _end: Optional[int] = None,
                 _answer: bool = False) -> None:
        model = session.model
        said = model.sampling
        self.model = model
        self.max_new_tokens = _arguments.whole("max_new_tokens", max_new_tokens, 0, 1 << 40)
        self.sampler = _native.Sampler(
            said["temperature"] if temperature is None else _arguments.real("temperature", temperature),
            said["top_k"] if top_k is None else _arguments.whole("top_k", top_k, 0),
            said["top_p"] if top_p is None else _arguments.real("top_p", top_p),
            _arguments.whole("seed", seed, 0, 2**64 - 1))
        self.stop = [stop] if isinstance(stop, str) else list(stop)
        if not all(isinstance(string, str) and string for string in self.stop):
            raise ValueError("stop must be strings that are not empty")
        self.parse_special = bool(parse_special)
        self.ends = frozenset(model.eos_token_ids) | (frozenset() if _end is None else {_end})
        self._answer = _answer
        try:
            self.tokenizer: Optional[Tokenizer] = model.tokenizer
        except Error:
            if self.stop or model._tokenizer_path is not None:
                raise
            self.tokenizer = None

    def tokens(self, name: str, prompt: Any) -> np.ndarray:
        """The ids that a prompt begins with."""
        if isinstance(prompt, (str, bytes)):
            tokenizer = self.tokenizer or self.model.tokenizer
            prompt = tokenizer.encode(prompt, parse_special=self.parse_special)
        ids = _arguments.token_ids(name, prompt, self.model.vocab_size)
        if not len(ids):
            raise ValueError(f"{name}: there is no token to start from")
        return ids

    def text(self, prompt: np.ndarray) -> Optional[_Text]:
        if self.tokenizer is None:
            return None
        return _Text(self.tokenizer, None if self._answer else prompt, self.stop)


def _advance(session: Session, jobs: List[_Job]) -> None:
    """Feeds every sequence its next tokens. A long beginning is cut, so that Ctrl-C is heard."""
    most = max(1, 8 * session.model.max_tokens // len(jobs))
    outputs = session.step([job.item(most) for job in jobs], routing=False)
    for job, output in zip(jobs, outputs):
        job.take(output)


def _stream(session: Session, job: _Job, owned: bool) -> Generator[Piece, None, Generation]:
    try:
        while not job.done:
            _advance(session, [job])
            yield from job.pieces
            job.pieces.clear()
        return job.result()
    finally:
        if owned:
            job.sequence.__exit__()


def generate(session: Session, prompt: Any, max_new_tokens: int = 64, *, sequence: Optional[Sequence] = None,
             stream: bool = False, **options: Any) -> Union[Generation, Generator[Piece, None, Generation]]:
    """``Model.generate`` in a session; without a sequence in a new one."""
    settings = _Settings(session, max_new_tokens, **options)
    tokens = settings.tokens("prompt", prompt)
    job = _Job(sequence or session.add(), tokens, settings, 0)
    pieces = _stream(session, job, sequence is None)
    return pieces if stream else _exhaust(pieces)


def _exhaust(pieces: Generator[Piece, None, Generation]) -> Generation:
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


def generate_alone(model: Any, prompt: Any, max_new_tokens: int, options: Dict[str, Any]) -> Any:
    """``Model.generate``: in a session of its own."""
    stream = options.pop("stream", False)
    session = model.session(max_sequences=1)
    try:
        pieces = generate(session, prompt, max_new_tokens, stream=True, **options)
    except BaseException:
        session.close()
        raise
    closing = _closing(session, pieces)
    return closing if stream else _exhaust(closing)


def _closing(session: Session, pieces: Generator[Piece, None, Generation]) -> Generator[Piece, None, Generation]:
    with session:
        return (yield from pieces)


def generate_batch(session: Session, prompts: Iterable[Any], max_new_tokens: int = 64,
                   **options: Any) -> List[Generation]:
    """``Model.generate_batch`` in a session."""
    if isinstance(prompts, (str, bytes)):
        raise TypeError("prompts must be a list of prompts, not one")
    settings = _Settings(session, max_new_tokens, **options)
    beginnings = [settings.tokens(f"prompts[{index}]", prompt) for index, prompt in enumerate(prompts)]
    results: List[Optional[Generation]] = [None] * len(beginnings)
    active: Dict[int, _Job] = {}
    waiting = iter(range(len(beginnings)))
    try:
        while True:
            while len(active) < session.model.max_seqs and (number := next(waiting, None)) is not None:
                try:
                    active[number] = _Job(session.add(), beginnings[number], settings, number)
                except Error as error:
                    if error.kind != "limit" or not active:
                        raise
                    waiting = iter([number, *waiting])
                    break
            if not active:
                return [result for result in results if result is not None]
            _advance(session, list(active.values()))
            for number in [number for number, job in active.items() if job.done]:
                job = active.pop(number)
                results[number] = job.result()
                job.sequence.drop()
    finally:
        for job in active.values():
            job.sequence.__exit__()
