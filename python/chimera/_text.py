# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From texts to token ids and back."""
from __future__ import annotations

import codecs
import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, List, Optional, Tuple, Union

import numpy as np

from . import _arguments, _native

if TYPE_CHECKING:
    from ._model import Model

_NOWHERE = os.fsencode(os.path.join(os.devnull, "nowhere"))
"""A place beside which nothing lies."""


def _render_command() -> List[str]:
    """What renders chat templates: this Python if it has jinja2, else the one in PATH."""
    here = sys.executable if sys.executable and importlib.util.find_spec("jinja2") else "python3"
    return [here, "-B", os.path.join(os.path.dirname(os.path.abspath(__file__)), "render-chat.py")]


class StreamDecoder:
    """A text that is made from ids one by one, by ``Tokenizer.stream``."""

    def __init__(self, tokenizer: "Tokenizer", skip_special: bool) -> None:
        self._native = _native.Stream(tokenizer._native, skip_special)
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        """The characters that are complete with this token and were not before, often none."""
        return self._characters.decode(self._native.push(_arguments.whole("token", token, -2**63)))

    def flush(self) -> str:
        """Ends the text: the rest of it, in which bytes that are no character are U+FFFD."""
        return self._characters.decode(self._native.flush(), True)


class Tokenizer:
    """A tokenizer: a ``tokenizer.json``, a ``tokenizer.model`` or the folder of either, or "bytes", where token i is
    byte i. What is read is in docs/tokenizers.md; what is not known there is an ``Error`` that names it.

    Threads may share it. ``Model.tokenizer`` is a model's own, which also knows the model's vocabulary.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self._native = _native.Tokenizer(_arguments.path_bytes("path", path), None, _NOWHERE, _NOWHERE)
        self._chats: dict = {}

    @classmethod
    def _of(cls, model: "Model") -> "Tokenizer":
        made = cls.__new__(cls)
        given = model._tokenizer_path
        path = b"" if given is None else _arguments.path_bytes("tokenizer", given)
        made._native = _native.Tokenizer(path, model._open(), model._path or _NOWHERE, model._weights_path or _NOWHERE)
        made._chats = {}
        return made

    @property
    def vocab_size(self) -> int:
        """One more than the largest id; 256 where bytes are tokens."""
        return self._native.vocab_size()

    @property
    def special_tokens(self) -> List[str]:
        """The special tokens as the file writes them."""
        return self._native.special_tokens()

    def token_of(self, token: int) -> Optional[str]:
        """The token with an id as the file writes it; None if there is none."""
        return self._native.token_of(_arguments.whole("token", token, -2**63))

    def id_of(self, token: str) -> Optional[int]:
        """The id of a token as the file writes it; None if there is none."""
        if not isinstance(token, str):
            raise TypeError(f"token must be a str, not {type(token).__name__}")
        return self._native.id_of(token.encode())

    def encode(self, text: Union[str, bytes], *, add_special: bool = True, parse_special: bool = False) -> np.ndarray:
        """The ids of a text, int32 [tokens].

        add_special puts the tokens around the text that the files say, most often one that begins it. parse_special
        takes special tokens that are written in the text for those tokens; otherwise they are text like any other.
        """
        if not isinstance(text, (str, bytes)):
            raise TypeError(f"text must be a str or bytes, not {type(text).__name__}")
        content = text.encode() if isinstance(text, str) else text
        return self._native.encode(content, bool(add_special), bool(parse_special))

    def decode(self, tokens: _arguments.Tokens, *, skip_special: bool = True) -> str:
        """The text of ids. What is no token gives nothing; bytes that are no character are U+FFFD."""
        return self._native.decode(_arguments.any_ids("tokens", tokens), bool(skip_special))

    def stream(self, *, skip_special: bool = True) -> StreamDecoder:
        """Begins a text whose ids come one by one."""
        return StreamDecoder(self, bool(skip_special))

    def apply_chat_template(self, messages: Any, *, chat_template: Any = None, tokenize: bool = True,
                            parse_special: bool = False) -> Union[np.ndarray, str]:
        """Messages and the beginning of an answer as ids, int32 [tokens], or with ``tokenize=False`` as the text.

        messages is a list of dicts with "role" and "content"; other keys are passed on to the template.
        chat_template is the path of a Jinja template; without it the one beside the tokenizer is taken. It is rendered
        in a process of its own that can do nothing else, by jinja2 (Debian's python3-jinja2). A special token that is
        written in a message is text, unless ``parse_special``.
        """
        if not tokenize:
            return self._template(chat_template).render(_messages_text(messages))
        return self._chat(messages, chat_template, parse_special)[0]

    def _chat(self, messages: Any, chat_template: Any, parse_special: bool) -> Tuple[np.ndarray, Optional[int]]:
        """The ids of messages, and the token that ends an answer."""
        chat = self._template(chat_template)
        return chat.encode(_messages_text(messages), bool(parse_special)), chat.end()

    def _template(self, path: Any) -> _native.Chat:
        """A chat template, whose process is kept."""
        key = b"" if path is None else os.path.abspath(_arguments.path_bytes("chat_template", path))
        if key not in self._chats:
            self._chats[key] = _native.Chat(self._native, key, _render_command())
        return self._chats[key]


def _messages_text(messages: Any) -> str:
    """Messages as JSON."""
    if isinstance(messages, (str, bytes, Mapping)) or not hasattr(messages, "__iter__"):
        raise TypeError("messages must be a list of dicts with role and content")
    listed = list(messages)
    if not listed:
        raise ValueError("messages: there is none")
    for index, message in enumerate(listed):
        if not isinstance(message, Mapping):
            raise TypeError(f"messages[{index}] must be a dict, not {type(message).__name__}")
        for key in ("role", "content"):
            if not isinstance(message.get(key), str):
                raise TypeError(f"messages[{index}] must have {key}, a str")
    try:
        return json.dumps(listed, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"messages: {error}") from None
