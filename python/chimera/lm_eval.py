# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models for the lm-evaluation-harness (the Python package lm_eval), which is imported only when it is asked for.

    import lm_eval, chimera.lm_eval
    chimera.lm_eval.register()
    lm_eval.simple_evaluate(model="chimera", model_args="model=model.chm,weights=trained", tasks=["lambada_openai"])
"""
from __future__ import annotations

import os
from typing import Any, Dict, Iterable, List, Optional, Sequence as Sequence_, Tuple, Union

import numpy as np

from ._errors import Error
from ._model import Model
from ._session import Sequence

_ROWS = 256  # The most rows of logits that are asked for at once.


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Natural logarithms of probabilities, float64 [rows, vocab], of logits [rows, vocab]."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


class Evaluator:
    """The three requests of the harness for a model, in its terms but without it.

    Logarithms are of float64 sums over the logits of all positions, so that they are the same bits whatever else is
    evaluated. As in the harness's own models, special tokens in a text count as such, nothing is put before a context
    unless add_bos_token says so, and what is longer than max_length tokens loses its beginning.
    """

    def __init__(self, model: Union[Model, str, "os.PathLike[str]"], weights: Any = None, *,
                 tokenizer: Any = None, max_length: Optional[int] = None, max_gen_toks: int = 256,
                 threads: Optional[int] = None, add_bos_token: bool = False) -> None:
        if not isinstance(model, Model):
            model = Model(model, weights, tokenizer=tokenizer, threads=threads)
        self.model = model
        self.tokenizer = model.tokenizer
        self.max_length = int(max_length) if max_length else model.max_positions
        self.max_gen_toks = int(max_gen_toks)
        self._begins = [model.bos_token_id] if add_bos_token and model.bos_token_id is not None else []
        self._session = model.session(threads=threads)

    @property
    def prefix(self) -> List[int]:
        """What stands before a text that has nothing before it: the model's start token, else its first end token."""
        if self.model.bos_token_id is not None:
            return [self.model.bos_token_id]
        return list(self.model.eos_token_ids[:1])

    def _encode(self, text: str) -> List[int]:
        return self.tokenizer.encode(text, add_special=False, parse_special=True).tolist()

    def _pair(self, context: str, continuation: str) -> Tuple[List[int], List[int]]:
        """The tokens of a continuation as they are behind its context; spaces between them belong to it."""
        stripped = context.rstrip()
        continuation = context[len(stripped):] + continuation
        if not stripped:
            return self._start(), self._encode(continuation)
        before = self._encode(stripped)
        return self._begins + before, self._encode(stripped + continuation)[len(before):]

    def _start(self) -> List[int]:
        if not self.prefix:
            raise Error("the model has neither a start token nor an end token, which an empty context needs")
        return self.prefix

    def _score(self, sequence: Sequence, last: np.ndarray, continuation: List[int]) -> Tuple[float, bool]:
        """The log-likelihood of a continuation of a sequence whose last row of logits is `last`, and whether each token
        of it has the largest logit."""
        total, greedy, row = 0.0, True, last
        for first in range(0, len(continuation), _ROWS):
            part = continuation[first:first + _ROWS]
            logits = row
            if first + len(part) < len(continuation):
                fed = sequence.step(part, "all", routing=False).logits
                logits, row = np.concatenate([row, fed[:-1]]), fed[-1:]
            elif len(part) > 1:
                logits = np.concatenate([row, sequence.step(part[:-1], "all", routing=False).logits])
            logs = log_softmax(logits)
            total += float(logs[np.arange(len(part)), part].sum())
            greedy = greedy and bool((logits.argmax(axis=-1) == part).all())
        return total, greedy

    def loglikelihood(self, pairs: Iterable[Tuple[str, str]]) -> List[Tuple[float, bool]]:
        """For each (context, continuation) the log-likelihood (nats) of the continuation and whether it is what the
        model would say greedily. A context that occurs several times is fed once."""
        return self.loglikelihood_of_ids([self._pair(*pair) for pair in pairs])

    def loglikelihood_of_ids(self, pairs: Sequence_[Tuple[List[int], List[int]]]) -> List[Tuple[float, bool]]:
        """The same of token ids; no context is empty."""
        contexts: Dict[Tuple[int, ...], List[int]] = {}
        for index, (context, continuation) in enumerate(pairs):
            if self.max_length:
                context = context[max(0, len(context) + len(continuation) - self.max_length - 1):]
                if not context:
                    raise ValueError(f"request {index}: the continuation has {len(continuation)} tokens, and the model "
                                     f"takes {self.max_length}")
            contexts.setdefault(tuple(context), []).append(index)
        results: List[Tuple[float, bool]] = [(0.0, True)] * len(pairs)
        for context, users in contexts.items():
            with self._session.add() as sequence:
                last = sequence.step(context, routing=False).logits
                for index in users:
                    if pairs[index][1]:
                        with sequence.fork() as fork:
                            results[index] = self._score(fork, last, pairs[index][1])
        return results

    def loglikelihood_rolling(self, texts: Iterable[str]) -> List[float]:
        """The log-likelihood (nats) of each whole text. One that is longer than max_length is cut into windows, each of
        which sees the token before it; the last, which is shorter, sees as many as it has room for."""
        results = []
        for text in texts:
            ids, total = self._encode(text), 0.0
            length = self.max_length or max(len(ids), 1)
            for first in range(0, len(ids), length):
                end = min(first + length, len(ids))
                before = ids[end - length - 1:first] if first else self._start()[-1:]
                total += self.loglikelihood_of_ids([(before, ids[first:end])])[0][0]
            results.append(total)
        return results

    def generate_until(self, requests: Iterable[Tuple[str, Dict[str, Any]]]) -> List[str]:
        """For each (context, settings) the text that follows, up to one of ``until``."""
        results = []
        for context, given in requests:
            settings = dict(given)
            until = settings.pop("until", None) or []
            until = [until] if isinstance(until, str) else [string for string in until if string]
            most = int(settings.pop("max_gen_toks", self.max_gen_toks))
            samples = settings.get("do_sample", settings.get("temperature", 0.0) > 0)
            options = {"temperature": settings.get("temperature", 1.0) if samples else 0.0,
                       "top_k": settings.get("top_k", 0), "top_p": settings.get("top_p", 1.0)}
            ids = self._begins + self._encode(context) if context else self._start()
            if self.max_length:
                ids = ids[-max(1, self.max_length - most):]
            results.append(self._session.generate(ids, most, stop=until, **options).text)
        return results


def register(name: str = "chimera") -> type:
    """Makes `name` a model of the harness, and returns its class, a ``lm_eval.api.model.LM``. Its arguments are those
    of ``Evaluator``. Raises ``ImportError`` when lm_eval is not installed."""
    try:
        from lm_eval.api.model import LM
        from lm_eval.api.registry import register_model
    except ImportError as error:
        raise ImportError("chimera.lm_eval needs the lm-evaluation-harness: pip install lm_eval") from error

    class ChimeraLM(LM):
        """A compiled model as the harness takes it."""

        def __init__(self, model: Any = None, weights: Any = None, batch_size: Any = None,
                     max_batch_size: Any = None, device: Any = None, **options: Any) -> None:
            super().__init__()
            if model is None:
                raise ValueError("model_args: model=FILE.chm is missing")
            self.evaluator = Evaluator(model, weights, **options)

        def loglikelihood(self, requests: list) -> List[Tuple[float, bool]]:
            return self._told("loglikelihood", requests, self.evaluator.loglikelihood)

        def loglikelihood_rolling(self, requests: list) -> List[float]:
            return self._told("loglikelihood_rolling", requests,
                              lambda all: self.evaluator.loglikelihood_rolling([text for text, in all]))

        def generate_until(self, requests: list) -> List[str]:
            return self._told("generate_until", requests, self.evaluator.generate_until)

        def apply_chat_template(self, chat_history: list, add_generation_prompt: bool = True) -> str:
            if not add_generation_prompt:
                raise NotImplementedError("a text that goes on with the last message is not supported")
            return str(self.evaluator.tokenizer.apply_chat_template(chat_history, tokenize=False))

        @property
        def tokenizer_name(self) -> str:
            return "chimera"

        def _told(self, kind: str, requests: list, evaluate: Any) -> list:
            """The answers to requests; the harness's cache is told of each."""
            results = evaluate([request.args for request in requests])
            hook = getattr(self, "cache_hook", None)
            if hook is not None:
                for request, result in zip(requests, results):
                    hook.add_partial(kind, request.args, result)
            return results

    return register_model(name)(ChimeraLM)
