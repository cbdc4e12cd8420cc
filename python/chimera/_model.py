# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Model binaries."""
from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Optional, Tuple, Union

from . import _arguments, _native
from ._errors import Error
from ._session import Mode, Session
from ._text import Tokenizer

_DTYPES = ("f32", "f64", "bf16")


def _mode_names(bits: int) -> Tuple[str, ...]:
    return tuple(mode.name.lower() for mode in Mode if bits >> mode & 1)


def _weights_beside(path: bytes) -> Optional[bytes]:
    """The folder of a binary, if weights lie in it."""
    folder = os.path.dirname(path) or b"."
    names = (b"model.safetensors", b"model.safetensors.index.json")
    return folder if any(os.path.exists(os.path.join(folder, name)) for name in names) else None


class Model:
    """A compiled model with its weights.

    - path: the model binary (``model.chm``), or its content as bytes. It is machine code: load only binaries that you
      would run as a program.
    - weights: a ``.safetensors`` file, an index (``.json``) of shards, or a folder with either. Without it they are
      looked for beside the binary; if there are none, the model can be looked at, but not run.
    - threads, max_sequences, memory_limit: of the sessions that it makes, see ``session``.
    - tokenizer: a ``tokenizer.json``, a ``tokenizer.model``, a folder with either, or "bytes"; without it the one
      beside the weights or the binary, or bytes.

    Threads may share a model. ``close`` (or ``with``) gives its memory back when its sessions are closed too. Raises
    ``Error`` where a file is missing, damaged or of another version, or the machine lacks what the code needs.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]", bytes], weights: Any = None, *,
                 threads: Optional[int] = None, max_sequences: Optional[int] = None,
                 memory_limit: Optional[int] = None, tokenizer: Any = None) -> None:
        self._session_options = {"threads": threads, "max_sequences": max_sequences, "memory_limit": memory_limit}
        self._native: Optional[_native.Model] = None
        self._weights: Optional[_native.Weights] = None
        self._tokenizer: Optional[Tokenizer] = None
        self._tokenizer_path = tokenizer
        beside = None
        if isinstance(path, (bytes, bytearray, memoryview)):
            self._path = b""
            self._native = _native.Model(bytes(path), "<bytes>")
        else:
            self._path = _arguments.path_bytes("path", path)
            self._native = _native.Model(self._path)
            beside = _weights_beside(self._path)
        self._weights_path = beside or b""
        if weights is not None:
            self._weights_path = _arguments.path_bytes("weights", weights)
        if weights is not None or beside is not None:
            self._weights = _native.Weights(self._native, self._weights_path)
        self._read_info()

    def _read_info(self) -> None:
        native = self._open()
        info = native.info()
        self.vocab_size: int = info["vocab_size"]
        self.layers: int = info["layers"]
        self.dtype: str = _DTYPES[info["dtype"]]
        self.logits_dtype: str = _DTYPES[info["logits_dtype"]]
        self.max_tokens: int = info["max_tokens"]
        self.max_seqs: int = info["max_seqs"]
        self.max_positions: Optional[int] = None if info["max_positions"] < 0 else info["max_positions"]
        self.bos_token_id: Optional[int] = None if info["bos_token_id"] < 0 else info["bos_token_id"]
        self.eos_token_ids: Tuple[int, ...] = tuple(native.eos_tokens())
        self.variant: str = info["variant"]
        self.sampling: Dict[str, Any] = native.sampling()
        self.modes: Tuple[Tuple[str, ...], ...] = tuple(
            _mode_names(native.layer_modes(layer)) for layer in range(self.layers))
        self.forceable: Tuple[Tuple[str, ...], ...] = tuple(
            _mode_names(native.layer_forceable(layer)) for layer in range(self.layers))

    @property
    def manifest(self) -> Dict[str, Any]:
        """All that the binary says of itself (docs/model-binary.md), parsed anew at each call."""
        return json.loads(self._open().manifest())

    @property
    def info(self) -> Dict[str, Any]:
        """The model in one dict: its sizes, the modes of each layer, start and end tokens, how tokens are meant to be
        chosen, the limits of one step, and its caches: layer, mode, kind and the bytes that each sequence takes at
        least (a list grows by pages of ``pages["bytes"]`` for ``pages["entries"]`` tokens)."""
        manifest = self.manifest
        pools = manifest["pools"]
        caches = [{"layer": cache["layer"], "mode": cache["mode"], "kind": cache["kind"],
                   "bytes_per_sequence": sum(pools[pool]["bytes_per_slot"] for pool in cache["pools"])}
                  for cache in manifest["caches"]]
        return {
            "producer": manifest["producer"], "target": manifest["target"], "variant": self.variant,
            "dtype": self.dtype, "logits_dtype": self.logits_dtype, "numerics": manifest["numerics"],
            "vocab_size": self.vocab_size, "hidden_size": manifest["model"]["hidden_size"],
            "layers": [{"modes": modes, "forceable": forceable}
                       for modes, forceable in zip(self.modes, self.forceable)],
            "limits": {"max_tokens": self.max_tokens, "max_seqs": self.max_seqs},
            "max_positions": self.max_positions, "bos_token_id": self.bos_token_id,
            "eos_token_ids": self.eos_token_ids, "sampling": dict(self.sampling),
            "caches": caches, "pages": manifest["pages"],
        }

    @property
    def unused_tensors(self) -> List[str]:
        """The names of the checkpoint's tensors that the model does not use."""
        return self._loaded().unused()

    def digest(self) -> bytes:
        """16 bytes that tell binary, variant and weights: with equal digests logits are equal bit by bit."""
        return self._loaded().digest()

    def session(self, *, threads: Optional[int] = None, max_sequences: Optional[int] = None,
                memory_limit: Optional[int] = None, poison: bool = False) -> Session:
        """Makes a session. What is not given is what the model was opened with.

        - threads: worker threads, the caller's included; without it one for each CPU that the process may use.
        - max_sequences: the most sequences at once; without it 1024, or ``max_seqs`` where that is more.
        - memory_limit: the most bytes that the caches may hold; without it what the process may use.
        - poison: fill working memory with NaNs before every step, for tests of the compiler.
        """
        options = {"threads": threads, "max_sequences": max_sequences, "memory_limit": memory_limit}
        for name, value in self._session_options.items():
            options[name] = value if options[name] is None else options[name]
        return Session(self, poison=poison, **options)

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer. Raises ``Error`` when there is none and the model's tokens are not bytes."""
        if self._tokenizer is None:
            self._tokenizer = Tokenizer._of(self)
        return self._tokenizer

    def generate(self, prompt, max_new_tokens: int = 64, **options):
        """Continues a prompt, with the tokens that ``chimera-run`` gives for the same settings.

        - prompt: a text, which the tokenizer encodes, or token ids, which are taken as they are.
        - max_new_tokens: the most tokens to add. One of the model's end tokens ends the text before; it is not added.
        - temperature, top_k, top_p: how tokens are chosen; what is not given is what the model says (``sampling``).
          temperature 0: always the largest logit; top_k 0: all; top_p is in (0, 1].
        - seed: of the random numbers, 0 .. 2^64 - 1.
        - stop: a string or several: the text ends before the first of them.
        - parse_special: special tokens that are written in the text count as those tokens.
        - stream: return an iterator of ``Piece`` (text, token) instead, which yields each token as it is chosen; the
          generator's return value is the ``Generation``.

        Returns a ``Generation``. A session is made for this call and closed after it; ``Session.generate`` uses one
        that is there.
        """
        from . import _generate
        return _generate.generate_alone(self, prompt, max_new_tokens, options)

    def generate_batch(self, prompts, max_new_tokens: int = 64, **options) -> list:
        """Continues many prompts at once, with the options of ``generate`` but `stream`; a list of ``Generation`` in
        their order. Prompt i has the random numbers of sequence i, as in ``chimera-run --tokens`` and ``--jsonl``."""
        from . import _generate
        with self.session() as session:
            return _generate.generate_batch(session, prompts, max_new_tokens, **options)

    def chat(self, messages, max_new_tokens: int = 4096, *, chat_template: Any = None, parse_special: bool = False,
             **options):
        """Answers messages, dicts with "role" and "content", by the model's chat template
        (``Tokenizer.apply_chat_template``), as ``chimera-run --messages`` does; the other options are those of
        ``generate``."""
        from . import _generate
        ids, end = self.tokenizer._chat(messages, chat_template, parse_special)
        return _generate.generate_alone(self, ids, max_new_tokens, {**options, "_end": end, "_answer": True})

    def close(self) -> None:
        """Gives up binary and weights. Sessions that were made keep what they need."""
        self._native = self._weights = self._tokenizer = None

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._native is None

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> _native.Model:
        if self._native is None:
            raise Error("the model is closed")
        return self._native

    def _loaded(self) -> _native.Weights:
        self._open()
        if self._weights is None:
            raise Error("the model was opened without weights, and none lie beside it")
        return self._weights

    def _parts(self) -> Tuple[_native.Model, Optional[_native.Weights]]:
        return self._open(), self._weights
