# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""CHIMERA from Python: compile, train and run routed language models. docs/python.md shows how.

    import chimera
    chimera.compile("examples/text", "text.chm")
    with chimera.Model("text.chm", weights="examples/text") as model:
        print(model.generate("In those days", max_new_tokens=100).text)
"""
from ._errors import Error
from ._generate import Generation, Piece
from ._model import Model
from ._native import __version__
from ._programs import compile, find_program, train
from ._session import CacheBytes, Item, Mode, Output, Sequence, Session
from ._text import StreamDecoder, Tokenizer

__all__ = ["CacheBytes", "Error", "Generation", "Item", "Mode", "Model", "Output", "Piece", "Sequence", "Session",
           "StreamDecoder", "Tokenizer", "__version__", "compile", "find_program", "train"]
