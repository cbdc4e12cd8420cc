# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What users give, checked and in the form that the extension takes."""
from __future__ import annotations

import operator
import os
from typing import Any, Optional, Sequence as Sequence_, Union

import numpy as np

Tokens = Union[Sequence_[int], np.ndarray, Any]
"""Token ids: a sequence of whole numbers, a NumPy array, or any object with ``__dlpack__``."""


def whole(name: str, value: Any, low: int, high: int = 2**63 - 1) -> int:
    """`value` as an int in low .. high."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be a whole number, not a truth value")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} must be in {low} .. {high}, not {number}")
    return number


def real(name: str, value: Any) -> float:
    """`value` as a float."""
    if isinstance(value, (bool, np.bool_, str, bytes)):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}") from None


def path_bytes(name: str, path: Any) -> bytes:
    """A path as the system takes it."""
    try:
        encoded = os.fsencode(path)
    except TypeError:
        raise TypeError(f"{name} must be a path, not {type(path).__name__}") from None
    if b"\0" in encoded:
        raise ValueError(f"{name}: a path has no NUL character")
    return encoded


def array(name: str, values: Any) -> np.ndarray:
    """`values` as a NumPy array, without a copy where there is one or something that speaks DLPack."""
    if isinstance(values, np.ndarray):
        return values
    if hasattr(values, "__dlpack__"):
        try:
            return np.from_dlpack(values)
        except (BufferError, RuntimeError, TypeError, AttributeError) as error:
            raise TypeError(f"{name}: DLPack: {error}") from error
    try:
        return np.asarray(values)
    except OverflowError as error:
        raise ValueError(f"{name}: {error}") from None


def _whole_numbers(name: str, values: Any, dtype: type, low: int, high: int) -> np.ndarray:
    """An array of whole numbers in low .. high, of type `dtype`, in C order."""
    found = array(name, values)
    if found.size == 0 and not isinstance(values, np.ndarray):
        found = found.astype(dtype)
    if found.dtype.kind not in "iu":
        raise TypeError(f"{name} must be whole numbers of at most 64 bits, not {found.dtype}")
    if found.size:
        for extreme in (found.argmin(), found.argmax()):
            if not low <= found.flat[extreme] <= high:
                where = ", ".join(str(index) for index in np.unravel_index(extreme, found.shape))
                raise ValueError(f"{name}[{where}]: {found.flat[extreme]} is not in {low} .. {high}")
    return np.require(found, dtype, "CA")


def token_ids(name: str, tokens: Tokens, vocab_size: int) -> np.ndarray:
    """Token ids as int32 [count]."""
    ids = _whole_numbers(name, tokens, np.int32, 0, vocab_size - 1)
    if ids.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {ids.ndim}")
    return ids


def any_ids(name: str, tokens: Tokens) -> np.ndarray:
    """Ids to decode as int32 [count]: those that no tokenizer has are good too."""
    ids = _whole_numbers(name, tokens, np.int32, -2**31, 2**31 - 1)
    if ids.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {ids.ndim}")
    return ids


def forced_modes(name: str, forced: Any, count: int, layers: int) -> Optional[np.ndarray]:
    """Modes as int8 [count, layers]; what is smaller is repeated as NumPy does it."""
    if forced is None:
        return None
    modes = _whole_numbers(name, forced, np.int8, -1, 3)
    try:
        return np.ascontiguousarray(np.broadcast_to(modes, (count, layers)))
    except ValueError:
        raise ValueError(f"{name} must have the shape [{count}, {layers}], not {list(modes.shape)}") from None
